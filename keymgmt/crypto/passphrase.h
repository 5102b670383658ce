// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {

// Argon2id (RFC 9106), version 1.3, one lane, 32-byte output. Host side: libsodium.
struct Argon2Cost {
  std::uint32_t passes = 3;
  std::uint32_t memory_kib = 262144;
};
inline constexpr Argon2Cost kMaxArgon2Cost{16, 1048576};

// kLimit above kMaxArgon2Cost; kMalformed below 1 pass or 8 KiB.
Result<WrappingKey> argon2id(const SecretBytes& passphrase,
                             const std::array<std::uint8_t, 16>& salt, Argon2Cost cost);

}  // namespace sealpack::crypto
