// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: PKCS#8 EncryptedPrivateKeyInfo with PBES2 (RFC 8018), scrypt
// (RFC 7914) and AES-256-CBC. Written out because OpenSSL's own decoder caps scrypt at 32 MiB, a
// quarter of what N = 2^17 needs, and would derive before we could look at the costs.

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto::internal {

ByteVector pbes2_encrypt(const SecretBytes& plain, const SecretBytes& passphrase);

// kMalformed; kUnsupported for other schemes or costs beyond N = 2^20, r = 8, p = 1, before any
// memory is spent; kKeyUnavailable for a wrong passphrase (most of them: CBC has no tag, so one in
// some 256 yields bytes that are no key).
Result<SecretBytes> pbes2_decrypt(Bytes der, const SecretBytes& passphrase);

}  // namespace sealpack::crypto::internal
