// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: the one encoding of each kind of public key.

#include "formats/base/bytes.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {

enum class KeyKind { kEd25519, kX25519, kP256, kP384, kP521, kRsa };

// OpenSSL's name of the group or algorithm, for messages too.
const char* name_of(KeyKind kind);

// SubjectPublicKeyInfo of a raw public key: 32 bytes, or an uncompressed point (0x04 || X || Y).
// Not for kRsa.
ByteVector spki_from_raw(KeyKind kind, Bytes raw);

struct PublicKey {
  KeyKind kind;
  // The raw key at the end of a SPKI that spki_from_raw would make; empty for kRsa.
  Bytes raw;
};

// Which kind of key `der` is, if it is the canonical encoding of one: named curve, uncompressed
// point, shortest lengths. For RSA: 2048 to 4096 bits, e = 65537. `raw` views into `der`. Points
// are checked by import_public.
Result<PublicKey> parse_spki(Bytes der);

// The key as OpenSSL takes it; kMalformed if a point is not on its NIST curve.
Result<PkeyPtr> import_public(KeyKind kind, Bytes raw);
Result<PkeyPtr> import_public_spki(Bytes der);

}  // namespace sealpack::crypto::internal
