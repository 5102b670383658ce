// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/passphrase.h"

#include <sodium.h>

namespace sealpack::crypto {

Result<WrappingKey> argon2id(const SecretBytes& passphrase,
                             const std::array<std::uint8_t, 16>& salt, Argon2Cost cost) {
  static_assert(crypto_pwhash_argon2id_SALTBYTES == 16);
  if (cost.passes < 1 || cost.memory_kib < 8) {
    return Error(ErrorCode::kMalformed, "Argon2id takes 1 pass and 8 KiB at least, not " +
                                            std::to_string(cost.passes) + " and " +
                                            std::to_string(cost.memory_kib) + " KiB");
  }
  if (cost.passes > kMaxArgon2Cost.passes || cost.memory_kib > kMaxArgon2Cost.memory_kib) {
    return Error(ErrorCode::kLimit, "Argon2id with " + std::to_string(cost.passes) +
                                        " passes and " + std::to_string(cost.memory_kib) +
                                        " KiB exceeds " + std::to_string(kMaxArgon2Cost.passes) +
                                        " passes and " + std::to_string(kMaxArgon2Cost.memory_kib) +
                                        " KiB");
  }
  if (sodium_init() < 0) die("libsodium does not start");
  SecretBytes key(WrappingKey::kSize);
  const std::size_t memory = std::size_t{cost.memory_kib} * 1024;
  // An empty passphrase has no address, and libsodium forbids a null one.
  const std::uint8_t nothing = 0;
  const Bytes secret = passphrase.size() == 0 ? Bytes(&nothing, 0) : passphrase.reveal();
  if (crypto_pwhash_argon2id(key.reveal_for_writing().data(), key.size(),
                             reinterpret_cast<const char*>(secret.data()), secret.size(),
                             salt.data(), cost.passes, memory,
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
    return Error(ErrorCode::kLimit,
                 "cannot get " + format_size(memory) + " of memory for Argon2id");
  }
  return WrappingKey::from(std::move(key));
}

}  // namespace sealpack::crypto
