// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: private keys as OpenSSL holds them (in the secure heap).

#include "keymgmt/crypto/secret_bytes.h"
#include "keymgmt/crypto/spki.h"

namespace sealpack::crypto::internal {

// A new reference to the same key.
PkeyPtr share(const PkeyPtr& key);

PkeyPtr generate_key(KeyKind kind);  // RSA: 3072 bits

// From 32 bytes (Ed25519, X25519) or a big-endian scalar of the curve's size in [1, n-1]; computes
// the public key. kMalformed; not for kRsa.
Result<PkeyPtr> import_private(KeyKind kind, Bytes raw);
// Inverse of import_private.
SecretBytes export_private(KeyKind kind, const EVP_PKEY* key);

// 32 bytes or an uncompressed point. Not for kRsa.
ByteVector public_raw(KeyKind kind, const EVP_PKEY* key);
ByteVector public_spki(KeyKind kind, const EVP_PKEY* key);

// X25519 or the x coordinate of ECDH on P-256, 32 bytes. kMalformed if `peer` is no point, or if
// the X25519 result is all zero: it would not depend on our key.
Result<SecretBytes> diffie_hellman(KeyKind kind, EVP_PKEY* own, Bytes peer);

}  // namespace sealpack::crypto::internal
