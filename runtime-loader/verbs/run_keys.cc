// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/verbs/run_keys.h"

#include <thread>

#include "keymgmt/broker/client/client.h"
#include "keymgmt/broker/client/files.h"
#include "keymgmt/crypto/random.h"
#include "keymgmt/keystore/key_file.h"

namespace sealpack::loader {
namespace {

constexpr const char* kSimulated = "simulated";

// A host that holds the key answers for itself, and only to a TEE that nobody could take for one.
class OwnKeys final : public KeyProvider {
 public:
  OwnKeys(const unpacker::VerifiedBundle& bundle, const unpacker::KeyOptions& keys)
      : bundle_(bundle), keys_(keys) {}

  Result<Challenge> challenge() override {
    Challenge challenge{ByteVector(32), {}};
    crypto::random_bytes(challenge.nonce);
    return challenge;
  }
  Result<KeyGrant> grant(const KeyRequest& request) override {
    const bool same = request.terms.tee == kSimulated &&
                      request.terms.content == bundle_.release().content_digest &&
                      request.terms.release == bundle_.release_digest();
    if (!same) {
      return Error(ErrorCode::kRefused, "the TEE asks for the key of something else");
    }
    const unpacker::OpenBundle open = TRY(unpacker::open_with_keys(bundle_, keys_));
    return make_key_grant(request, open.key(), GrantFacts{}, nullptr);
  }

 private:
  const unpacker::VerifiedBundle& bundle_;
  const unpacker::KeyOptions& keys_;
};

broker::ChallengeRequest challenge_request(const unpacker::VerifiedBundle& bundle,
                                           const std::string& tee) {
  broker::ChallengeRequest request;
  request.authority = bundle.content().authority;
  request.content = bundle.release().content_digest;
  request.release = bundle.release_digest();
  request.tee = tee;
  return request;
}

class BrokerByNetwork final : public KeyProvider {
 public:
  BrokerByNetwork(std::unique_ptr<broker::Client> client, const unpacker::VerifiedBundle& bundle,
                  std::string tee)
      : client_(std::move(client)), bundle_(bundle), tee_(std::move(tee)) {}

  Result<Challenge> challenge() override {
    broker::ChallengeReply reply = TRY(client_->challenge(challenge_request(bundle_, tee_)));
    return std::move(reply.challenge);
  }
  Result<KeyGrant> grant(const KeyRequest& request) override {
    return client_->release({serialize_key_request(request), {}});
  }

 private:
  std::unique_ptr<broker::Client> client_;
  const unpacker::VerifiedBundle& bundle_;
  std::string tee_;
};

// exchange-N.challenge-request and exchange-N.release-request go out; exchange-N.challenge and
// exchange-N.grant come back, carried by whoever carries files.
class BrokerByFiles final : public KeyProvider {
 public:
  BrokerByFiles(std::filesystem::path folder, const unpacker::VerifiedBundle& bundle,
                std::string tee, cli::Terminal& terminal)
      : folder_(std::move(folder)), bundle_(bundle), tee_(std::move(tee)), terminal_(terminal) {}

  Result<Challenge> challenge() override {
    TRY(choose_number());
    const ByteVector answer = TRY(exchange(broker::FileKind::kChallengeRequest,
                                           broker::serialize(challenge_request(bundle_, tee_)),
                                           broker::FileKind::kChallenge));
    broker::ChallengeReply reply = TRY(broker::parse_challenge_reply(answer));
    return std::move(reply.challenge);
  }
  Result<KeyGrant> grant(const KeyRequest& request) override {
    const broker::ReleaseRequest message{serialize_key_request(request), {}};
    return parse_key_grant(TRY(exchange(broker::FileKind::kReleaseRequest,
                                        broker::serialize(message), broker::FileKind::kGrant)));
  }

 private:
  std::filesystem::path path(broker::FileKind kind) const {
    return folder_ / ("exchange-" + std::to_string(number_) + "." + broker::to_string(kind));
  }
  // Exchanges of earlier runs stay as they are.
  Status choose_number() {
    std::error_code failed;
    if (!std::filesystem::is_directory(folder_, failed)) {
      return Error(ErrorCode::kIo, printable(folder_.string()) + " is no folder");
    }
    do {
      ++number_;
    } while (std::filesystem::exists(path(broker::FileKind::kChallengeRequest), failed));
    return done();
  }

  Result<ByteVector> exchange(broker::FileKind asked, Bytes message, broker::FileKind wanted) {
    const std::filesystem::path request = path(asked);
    const std::filesystem::path answer = path(wanted);
    TRY(broker::store_message_file(request, asked, message, Overwrite::kRefuse));
    terminal_.note("waiting for " + printable(answer.string()) +
                   ": at the broker, run: sealpack broker answer " + request.filename().string() +
                   " --out " + answer.filename().string() + " --dir BROKER");
    const broker::MessageFile file = TRY(await(answer));
    if (file.kind == broker::FileKind::kRefusal) {
      return broker::to_error(TRY(broker::parse_refusal(file.message)));
    }
    if (file.kind != wanted) {
      return Error(ErrorCode::kMalformed,
                   printable(answer.string()) + " holds a " + broker::to_string(file.kind));
    }
    return file.message;
  }

  // Half of a file that is being copied is no error yet: it is one when it stays so.
  static Result<broker::MessageFile> await(const std::filesystem::path& path) {
    constexpr auto kPause = std::chrono::milliseconds(100);
    constexpr int kPatience = 50;
    for (int broken = 0;;) {
      std::error_code failed;
      if (std::filesystem::exists(path, failed)) {
        auto file = broker::load_message_file(path);
        if (file.ok() || ++broken > kPatience) return file;
      }
      std::this_thread::sleep_for(kPause);
    }
  }

  std::filesystem::path folder_;
  const unpacker::VerifiedBundle& bundle_;
  std::string tee_;
  cli::Terminal& terminal_;
  std::uint64_t number_ = 0;
};

}  // namespace

Result<std::unique_ptr<KeyProvider>> make_key_provider(const RunOptions& options,
                                                       const unpacker::VerifiedBundle& bundle,
                                                       cli::Terminal& terminal) {
  using Made = std::unique_ptr<KeyProvider>;
  if (!options.broker.given()) return Made(std::make_unique<OwnKeys>(bundle, options.keys));
  const std::string tee = options.tee == "vm" ? options.vm.platform : kSimulated;
  if (options.broker.url.empty()) {
    return Made(std::make_unique<BrokerByFiles>(options.broker.files, bundle, tee, terminal));
  }
  broker::ClientOptions how;
  how.url = options.broker.url;
  how.ca_file = options.broker.ca;
  auto client = TRY(broker::Client::create(how));
  return Made(std::make_unique<BrokerByNetwork>(std::move(client), bundle, tee));
}

Result<std::optional<crypto::VerifyingKey>> pinned_broker(const BrokerOptions& options) {
  if (options.key.empty()) return std::optional<crypto::VerifyingKey>();
  const keystore::PublicKey key = TRY(keystore::load_public_key(options.key, std::nullopt));
  if (key.role != keystore::Role::kGrantSigner) {
    return Error(ErrorCode::kUsage, printable(options.key) + " is a key of role " +
                                        keystore::to_string(key.role) +
                                        ", and grants are signed by one of role grant-signer");
  }
  return std::optional(key.verifying_key());
}

Result<std::optional<crypto::PrivateKey>> load_evidence_key(const RunOptions& options) {
  if (options.broker.evidence_key.empty()) return std::optional<crypto::PrivateKey>();
  keystore::TerminalPassphrase prompt;
  keystore::FilePassphrase file(options.keys.passphrase_file);
  keystore::PassphraseSource& passphrases = options.keys.passphrase_file.empty()
                                                ? static_cast<keystore::PassphraseSource&>(prompt)
                                                : file;
  keystore::LoadedPrivateKey loaded = TRY(keystore::load_private_key(
      options.broker.evidence_key, {keystore::Role::kSimulatedRoot}, passphrases));
  return std::optional(std::move(loaded.key));
}

}  // namespace sealpack::loader
