// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/keygen.h"

#include "keymgmt/crypto/sha256.h"

namespace sealpack::keystore {

namespace {

std::filesystem::path with_ending(const std::filesystem::path& base, const char* ending) {
  std::filesystem::path out = base;
  out += ending;
  return out;
}

// Said before a passphrase is asked for. The write itself checks again, without a gap.
Status check_absent(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::symlink_status(path, ignored).type() ==
      std::filesystem::file_type::not_found) {
    return done();
  }
  return Error(ErrorCode::kUsage, printable(path.string()) + " exists and is not overwritten");
}

Status store_pair(const KeyPairFiles& files, Role role, const std::string& name,
                  const crypto::PrivateKey& key, const crypto::SecretBytes* passphrase,
                  Overwrite overwrite) {
  TRY(store_private_key(files.private_path, role, name, key, passphrase, overwrite));
  if (!files.public_path) return done();
  const std::string text = TRY(serialize_public_key(role, name, key.spki()));
  Status stored = store_file(*files.public_path, as_bytes(text), 0644, overwrite);
  if (!stored.ok() && overwrite == Overwrite::kRefuse) {
    // The private half is ours, made a moment ago; half a pair helps nobody.
    std::error_code ignored;
    std::filesystem::remove(files.private_path, ignored);
  }
  return stored;
}

}  // namespace

crypto::KeyType default_key_type(Role role) {
  return signs(role) ? crypto::KeyType::kEd25519 : crypto::KeyType::kX25519;
}

Result<KeyPairFiles> generate_key_pair(Role role, std::optional<crypto::KeyType> type,
                                       const std::filesystem::path& base, const std::string& name,
                                       PassphraseSource* passphrases, Overwrite overwrite) {
  const crypto::KeyType chosen = type.value_or(default_key_type(role));
  if (!role_allows(role, chosen)) {
    return Error(ErrorCode::kUsage,
                 std::string("a key of role ") + to_string(role) + " cannot be of this type")
        .with_hint(signs(role)
                       ? "signing roles take ed25519, p256 or p384"
                       : "unwrapping roles take x25519, p256 or rsa3072; recipient also aes256");
  }
  KeyPairFiles files{with_ending(base, ".key"), std::nullopt, std::nullopt};
  if (chosen != crypto::KeyType::kAes256) files.public_path = with_ending(base, ".pub");
  if (overwrite == Overwrite::kRefuse) {
    TRY(check_absent(files.private_path));
    if (files.public_path) TRY(check_absent(*files.public_path));
  }
  std::optional<crypto::SecretBytes> passphrase;
  if (passphrases != nullptr) {
    passphrase =
        TRY(passphrases->new_passphrase("key file " + printable(files.private_path.string())));
  }
  const crypto::PrivateKey key = TRY(crypto::PrivateKey::generate(chosen));
  if (files.public_path) files.digest = crypto::sha256(key.spki());
  TRY(store_pair(files, role, name, key, passphrase ? &*passphrase : nullptr, overwrite));
  return files;
}

}  // namespace sealpack::keystore
