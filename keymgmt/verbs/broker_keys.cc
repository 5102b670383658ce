// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/verbs/broker_keys.h"

#include "keymgmt/broker/checkpoint.h"
#include "keymgmt/keystore/keygen.h"

namespace sealpack::broker {
namespace {

using keystore::Role;

class Unattended final : public keystore::PassphraseSource {
 public:
  explicit Unattended(const BrokerConfig& config)
      : file_(config.passphrase_file.empty() ? std::filesystem::path()
                                             : config.path(config.passphrase_file)) {}
  Result<crypto::SecretBytes> passphrase(const std::string& what) override {
    if (file_.empty()) {
      return Error(ErrorCode::kUsage, what + " wants a passphrase or PIN")
          .with_hint("name the file that holds it: passphrase_file in broker.toml");
    }
    return keystore::load_passphrase(file_);
  }
  Result<crypto::SecretBytes> new_passphrase(const std::string& what) override {
    return passphrase(what);
  }

 private:
  std::filesystem::path file_;
};

Result<std::unique_ptr<crypto::Decryptor>> open_decryptor(const BrokerConfig& config,
                                                          const std::string& key_ref) {
  Unattended passphrases(config);
  keystore::Unwrapper opened =
      TRY(keystore::open_unwrapper(config.key_ref(key_ref), {Role::kBroker}, passphrases));
  auto* decryptor = std::get_if<std::unique_ptr<crypto::Decryptor>>(&opened.key);
  if (decryptor != nullptr) return std::move(*decryptor);
  return Error(ErrorCode::kUsage, printable(key_ref) + " is a symmetric key, not a recipient's");
}

Result<std::unique_ptr<crypto::Signer>> open_signer(const BrokerConfig& config, Role role,
                                                    const std::string& key_ref) {
  Unattended passphrases(config);
  return keystore::open_signer(config.key_ref(key_ref), {role}, passphrases);
}

std::string place_of(const NamedUse& use) {
  return std::string(use.name) + " key";
}

// The public half of a key that opens or signs, after it did so once.
Result<ByteVector> try_out(const BrokerConfig& config, const NamedUse& use,
                           const std::string& key_ref) {
  if (use.use == KeyUse::kRecipient) {
    const auto key = TRY(open_decryptor(config, key_ref));
    return to_vector(key->public_key().spki());
  }
  const auto key = TRY(open_signer(config, use.role, key_ref));
  if (use.use == KeyUse::kLog) (void)TRY(verifier_key("log", key->public_key()));
  (void)TRY(key->sign(as_bytes("sealpack broker: may this key sign?")));
  return to_vector(key->public_key().spki());
}

}  // namespace

Result<std::unique_ptr<crypto::Decryptor>> open_recipient(const BrokerConfig& config,
                                                          const std::string& key_ref,
                                                          const KeyReport& report) {
  const auto open = [config, key_ref] {
    return open_decryptor(config, key_ref).within(place_of(kRecipientKeys));
  };
  return config.is_file(key_ref) ? open() : lasting_decryptor(open, report);
}

Result<std::unique_ptr<crypto::Signer>> open_signer_of(const BrokerConfig& config,
                                                       const NamedUse& use,
                                                       const std::string& key_ref,
                                                       const KeyReport& report) {
  const auto open = [config, use, key_ref] {
    return open_signer(config, use.role, key_ref).within(place_of(use));
  };
  return config.is_file(key_ref) ? open() : lasting_signer(open, report);
}

Result<NewKey> make_key(const BrokerConfig& config, const NamedUse& use, const std::string& name) {
  Unattended passphrases(config);
  const auto files =
      TRY(keystore::generate_key_pair(use.role, std::nullopt, config.path(name), "",
                                      config.passphrase_file.empty() ? nullptr : &passphrases));
  const auto made = TRY(keystore::load_public_key(*files.public_path, std::nullopt));
  return NewKey{name + ".key", made.spki};
}

Result<NewKey> take_key(const BrokerConfig& config, const NamedUse& use, const std::string& name,
                        const std::string& key_ref) {
  ByteVector spki = TRY(try_out(config, use, key_ref).within(place_of(use)));
  const std::string text = TRY(keystore::serialize_public_key(use.role, "", spki));
  TRY(keystore::store_file(config.path(name + ".pub"), as_bytes(text), 0644, Overwrite::kRefuse));
  return NewKey{key_ref, std::move(spki)};
}

std::vector<std::string> key_refs(const BrokerConfig& config, KeyUse use) {
  if (use == KeyUse::kLog) return {config.log_key};
  return use == KeyUse::kRecipient ? config.recipient_keys : config.grant_keys;
}

Result<ByteVector> public_half(const BrokerConfig& config, const NamedUse& use,
                               const std::string& key_ref) {
  if (use.use == KeyUse::kRecipient) {
    const auto key = TRY(open_decryptor(config, key_ref).within(place_of(use)));
    return to_vector(key->public_key().spki());
  }
  const auto key = TRY(open_signer(config, use.role, key_ref).within(place_of(use)));
  return to_vector(key->public_key().spki());
}

void put_first(BrokerConfig& config, KeyUse use, const std::string& key_ref) {
  if (use == KeyUse::kLog) {
    config.log_key = key_ref;
    return;
  }
  auto& list = use == KeyUse::kRecipient ? config.recipient_keys : config.grant_keys;
  list.insert(list.begin(), key_ref);
}

void drop_key(BrokerConfig& config, KeyUse use, const std::string& key_ref) {
  if (use == KeyUse::kLog) return;
  std::erase(use == KeyUse::kRecipient ? config.recipient_keys : config.grant_keys, key_ref);
}

}  // namespace sealpack::broker
