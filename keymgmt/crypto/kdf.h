// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {

enum class HashName { kSha256, kSha384, kSha512 };

// HKDF (RFC 5869). `out` at most 255 times the hash size; more ends the process.
SecretBytes hkdf_extract(HashName hash, Bytes salt, Bytes input_key);
void hkdf_expand(HashName hash, Bytes pseudorandom_key, Bytes info, MutableBytes out);

Digest hmac_sha256(Bytes key, Bytes message);

}  // namespace sealpack::crypto
