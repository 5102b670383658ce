// SPDX-License-Identifier: Apache-2.0
#include "unpacker/verbs/content_key.h"

#include <map>

#include "formats/files/file_source.h"
#include "keymgmt/crypto/passphrase.h"
#include "keymgmt/keystore/key_ref.h"
#include "unpacker/core/bundle.h"

namespace sealpack::unpacker {
namespace {

using bundle::Slot;
using bundle::SlotClass;
using bundle::SlotKind;
using keystore::Role;
using keystore::Unwrapper;

constexpr std::string_view kPassphrase = "passphrase:";
constexpr std::size_t kMaxGrantSize = 65536;
// Each costs up to a gigabyte and seconds, as the slot says.
constexpr std::size_t kMaxPassphraseAttempts = 8;
// For keys in tokens and services, where each attempt is a request.
constexpr std::size_t kMaxRemoteAttempts = 64;
// For slots that seem to be for a key: anybody can add those, and each costs a computation.
constexpr std::size_t kMaxHintedAttempts = 16;

Digest id_of(const Unwrapper& unwrapper) {
  if (const auto* key = std::get_if<crypto::WrappingKey>(&unwrapper.key)) {
    return slots::symmetric_key_id(*key);
  }
  return std::get<std::unique_ptr<crypto::Decryptor>>(unwrapper.key)->public_key().digest();
}

SlotKind kind_for(const Unwrapper& unwrapper) {
  if (std::holds_alternative<crypto::WrappingKey>(unwrapper.key)) return SlotKind::kAesKwp;
  const auto& decryptor = std::get<std::unique_ptr<crypto::Decryptor>>(unwrapper.key);
  switch (decryptor->public_key().algorithm()) {
    case crypto::EncryptionAlgorithm::kX25519:
      return SlotKind::kHpkeX25519;
    case crypto::EncryptionAlgorithm::kP256:
      return SlotKind::kHpkeP256;
    case crypto::EncryptionAlgorithm::kRsa:
      return SlotKind::kRsaOaep;
  }
  die("unknown encryption algorithm");
}

bool is_attested(const std::optional<Role>& role) {
  return role == Role::kBroker || role == Role::kDevice;
}

Error attested_only(const std::string& what) {
  return Error(ErrorCode::kRefused, what +
                                        ": the slot is attested: the broker or device that holds "
                                        "this key releases it to an attested environment, not "
                                        "to this command line")
      .with_hint("open the bundle with a loader in a TEE; to work on it here use the escrow key");
}

class Search {
 public:
  Search(std::vector<Slot> slots, SlotOpener& opener) : slots_(std::move(slots)), opener_(opener) {}

  // All: whether a slot was opened.
  Result<bool> try_key(const std::string& key_ref, keystore::PassphraseSource& passphrases) {
    const Unwrapper unwrapper = TRY(keystore::open_unwrapper(
        key_ref, {Role::kRecipient, Role::kEscrow, Role::kBroker, Role::kDevice}, passphrases));
    const Digest id = id_of(unwrapper);
    const SlotKind kind = kind_for(unwrapper);
    std::size_t hinted = 0;
    for (const Slot& slot : slots_) {
      if (slot.kind != kind || !slots::hints_at(slot, id)) continue;
      if (++hinted > kMaxHintedAttempts) break;
      if (slot.slot_class == SlotClass::kAttested || is_attested(unwrapper.role)) {
        note_obstacle(attested_only(printable(key_ref)));
      } else if (TRY(judge(try_slot(slot, unwrapper)))) {
        return true;
      }
    }
    if (hinted != 0 || is_attested(unwrapper.role)) return false;
    return try_all(unwrapper, kind);
  }

  Result<bool> try_passphrase(const crypto::SecretBytes& passphrase) {
    std::size_t attempts = 0;
    for (const Slot& slot : slots_) {
      if (slot.kind != SlotKind::kPassphrase) continue;
      if (++attempts > kMaxPassphraseAttempts) {
        note_obstacle(
            Error(ErrorCode::kLimit, "only the first " + std::to_string(kMaxPassphraseAttempts) +
                                         " passphrase slots are tried, the bundle has more"));
        break;
      }
      const crypto::WrappingKey derived = TRY(
          crypto::argon2id(passphrase, slot.salt, {slot.argon2_passes, slot.argon2_memory_kib}));
      if (TRY(judge(opener_.try_slot(slot, derived)))) return true;
    }
    return false;
  }

  Error nothing_fits(std::size_t key_count) {
    if (obstacle_) return std::move(*obstacle_);
    return Error(ErrorCode::kKeyUnavailable,
                 (key_count == 1 ? std::string("the key given opens none")
                                 : "the " + std::to_string(key_count) + " keys given open none") +
                     " of the bundle's slots: " + describe_slots(slots_))
        .with_hint("ask the vendor for a grant, or for a bundle sealed to your key");
  }

 private:
  // Hints are 8 bytes: where none matches, the slot may still be for this key.
  Result<bool> try_all(const Unwrapper& unwrapper, SlotKind kind) {
    std::size_t attempts = 0;
    for (const Slot& slot : slots_) {
      if (slot.kind != kind || slot.slot_class != SlotClass::kDirect) continue;
      if (!unwrapper.role && ++attempts > kMaxRemoteAttempts) break;
      Status status = try_slot(slot, unwrapper);
      // What the policy refuses here is most likely somebody else's slot.
      if (!status.ok() && status.error().code() == ErrorCode::kRefused) continue;
      if (TRY(judge(std::move(status)))) return true;
    }
    return false;
  }

  Status try_slot(const Slot& slot, const Unwrapper& unwrapper) {
    if (const auto* key = std::get_if<crypto::WrappingKey>(&unwrapper.key)) {
      return opener_.try_slot(slot, *key);
    }
    return opener_.try_slot(slot, *std::get<std::unique_ptr<crypto::Decryptor>>(unwrapper.key));
  }

  // A slot that does not open is not an error yet; a device that fails is.
  Result<bool> judge(Status status) {
    if (status.ok()) return true;
    const ErrorCode code = status.error().code();
    if (code == ErrorCode::kRefused) note_obstacle(std::move(status).take_error());
    if (code == ErrorCode::kRefused || code == ErrorCode::kKeyUnavailable) return false;
    return std::move(status).take_error();
  }

  void note_obstacle(Error error) {
    if (!obstacle_) obstacle_ = std::move(error);
  }

  std::vector<Slot> slots_;
  SlotOpener& opener_;
  std::optional<Error> obstacle_;  // why a key that seems to fit may not be used
};

Result<Slot> load_grant(const std::string& path, const slots::Binding& binding) {
  const ByteVector bytes = TRY(load_file(path, kMaxGrantSize));
  bundle::Grant grant = TRY(bundle::parse_grant(bytes).within(printable(path)));
  if (grant.uuid != binding.uuid || grant.content_digest != binding.content_digest) {
    return Error(ErrorCode::kKeyUnavailable, printable(path) + " is a grant for another bundle");
  }
  return std::move(grant.slot);
}

Result<bool> try_key_ref(Search& search, const std::string& key_ref,
                         keystore::PassphraseSource& passphrases) {
  if (!key_ref.starts_with(kPassphrase)) return search.try_key(key_ref, passphrases);
  const std::string file = key_ref.substr(kPassphrase.size());
  if (!file.empty()) return search.try_passphrase(TRY(keystore::load_passphrase(file)));
  keystore::TerminalPassphrase prompt;
  return search.try_passphrase(TRY(prompt.passphrase("the bundle")));
}

}  // namespace

const char* to_string(SlotClass slot_class) {
  return slot_class == SlotClass::kAttested ? "attested" : "direct";
}

std::string describe_slots(const std::vector<Slot>& slots) {
  std::map<std::string, std::size_t> counts;
  for (const Slot& slot : slots) {
    ++counts[std::string(to_string(slot.slot_class)) + " " + bundle::to_string(slot.kind)];
  }
  std::string text;
  for (const auto& [kind, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
  }
  return text.empty() ? "none" : text;
}

Status try_keys(const slots::Binding& binding, const std::vector<Slot>& slots,
                const KeyOptions& options, SlotOpener& opener) {
  if (options.keys.empty()) return Error(ErrorCode::kUsage, "a key is needed: --key");
  std::vector<Slot> all;
  for (const std::string& path : options.grants) all.push_back(TRY(load_grant(path, binding)));
  all.insert(all.end(), slots.begin(), slots.end());
  Search search(std::move(all), opener);

  keystore::TerminalPassphrase prompt;
  keystore::FilePassphrase file(options.passphrase_file);
  keystore::PassphraseSource* passphrases = &prompt;
  if (!options.passphrase_file.empty()) passphrases = &file;
  for (const std::string& key_ref : options.keys) {
    if (TRY(try_key_ref(search, key_ref, *passphrases))) return done();
  }
  return search.nothing_fits(options.keys.size());
}

}  // namespace sealpack::unpacker
