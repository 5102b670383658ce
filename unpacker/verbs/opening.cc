// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/opening.h"

#include <chrono>

#include "formats/files/file_source.h"
#include "formats/files/parallel.h"
#include "unpacker/trust_file.h"

namespace sealpack::unpacker {
namespace {

std::uint64_t host_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

class VerifiedOpener : public SlotOpener {
 public:
  explicit VerifiedOpener(const VerifiedBundle& bundle) : bundle_(bundle) {}
  Status try_slot(const bundle::Slot& slot, const crypto::Decryptor& recipient) override {
    key_ = TRY(bundle_.admit(slot, recipient));
    return done();
  }
  Status try_slot(const bundle::Slot& slot, const crypto::WrappingKey& recipient) override {
    key_ = TRY(bundle_.admit(slot, recipient));
    return done();
  }
  AdmittedKey key() && { return std::move(*key_); }

 private:
  const VerifiedBundle& bundle_;
  std::optional<AdmittedKey> key_;
};

class ClaimedOpener : public SlotOpener {
 public:
  explicit ClaimedOpener(const ClaimedBundle& claimed) : claimed_(claimed) {}
  slots::Binding binding() const {
    return {claimed_.content.uuid, claimed_.release.content_digest, claimed_.content.authority};
  }
  Status try_slot(const bundle::Slot& slot, const crypto::Decryptor& recipient) override {
    TRY(check_slot_use(claimed_.release, slot.slot_class, recipient.public_key().digest()));
    return keep(TRY(slots::unwrap(slot, binding(), recipient)));
  }
  Status try_slot(const bundle::Slot& slot, const crypto::WrappingKey& recipient) override {
    const bool passphrase = slot.kind == bundle::SlotKind::kPassphrase;
    TRY(check_slot_use(claimed_.release, slot.slot_class,
                       passphrase ? Digest{} : slots::symmetric_key_id(recipient)));
    return keep(TRY(slots::unwrap(slot, binding(), recipient)));
  }
  crypto::ContentKey key() && { return std::move(*key_); }

 private:
  Status keep(crypto::ContentKey key) {
    if (slots::key_commitment(key) != claimed_.release.key_commitment) {
      return Error(ErrorCode::kKeyUnavailable, "the slot holds another key than the release names");
    }
    key_ = std::move(key);
    return done();
  }

  const ClaimedBundle& claimed_;
  std::optional<crypto::ContentKey> key_;
};

}  // namespace

void add_trust_options(CLI::App& verb, TrustOptions& options, TrustNeed need) {
  CLI::Option* trust = verb.add_option("--trust", options.paths,
                                       "Whom to believe: the vendor's .pub, or a trust.toml");
  trust->type_name("FILE")->allow_extra_args(false)->take_all();
  if (need == TrustNeed::kRequired) trust->required();
  verb.add_option("--at", options.at, "Judge validity as of this time instead of now")
      ->type_name("TIME")
      ->needs(trust);
}

Result<LoadedTrust> load_trust_options(const TrustOptions& options) {
  TrustFile file = TRY(load_trust({options.paths.begin(), options.paths.end()}));
  LoadedTrust loaded;
  loaded.trust = std::move(file.trust);
  if (!options.at.empty()) {
    loaded.clock.unix_seconds = TRY(cli::parse_time(options.at).within("--at"));
    loaded.time_source = "--at";
  } else if (file.use_host_time) {
    loaded.clock.unix_seconds = host_time();
    loaded.time_source = "host clock";
  } else {
    loaded.time_source = "none (the trust file says so)";
  }
  return loaded;
}

void add_key_options(CLI::App& verb, KeyOptions& options, bool required) {
  CLI::Option* key = verb.add_option("--key", options.keys,
                                     "A key that opens it: a .key file, pkcs11:…, exec:PROGRAM, "
                                     "passphrase: (asks) or passphrase:FILE; may be repeated");
  key->type_name("KEYREF")->allow_extra_args(false)->take_all();
  if (required) key->required();
  verb.add_option("--passphrase-file", options.passphrase_file,
                  "The passphrase of an encrypted key file, or a token's PIN")
      ->type_name("FILE");
  verb.add_option("--grant", options.grants,
                  "A grant: one more slot, in a file of its own; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->take_all()
      ->needs(key);
}

Result<UnverifiedBundle> open_unverified(const std::string& path) {
  std::shared_ptr<const BlockSource> source = TRY(FileSource::open(path));
  return UnverifiedBundle::open(std::move(source)).within(printable(path));
}

Result<VerifiedBundle> open_verified(const std::string& path, const LoadedTrust& trust) {
  UnverifiedBundle bundle = TRY(open_unverified(path));
  return std::move(bundle).verify(trust.trust, trust.clock).within(printable(path));
}

Result<OpenBundle> open_with_keys(VerifiedBundle bundle, const KeyOptions& keys) {
  VerifiedOpener opener(bundle);
  TRY(try_keys(bundle.slot_binding(), bundle.slots(), keys, opener));
  return std::move(bundle).open(std::move(opener).key());
}

Result<crypto::ContentKey> content_key_without_proof(const ClaimedBundle& claimed,
                                                     const std::vector<bundle::Slot>& slots,
                                                     const KeyOptions& keys) {
  ClaimedOpener opener(claimed);
  TRY(try_keys(opener.binding(), slots, keys, opener));
  return std::move(opener).key();
}

void add_bundle_argument(CLI::App& verb, std::string& path) {
  verb.add_option("BUNDLE", path, "The bundle (.seal)")->required();
}

void add_threads_option(CLI::App& verb, unsigned& threads) {
  verb.add_option("--threads", threads, "Threads to use; default: one a core")
      ->check(CLI::Range(1U, 1024U));
}

unsigned thread_count(unsigned threads) {
  return threads == 0 ? default_thread_count() : threads;
}

}  // namespace sealpack::unpacker
