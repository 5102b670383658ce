// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {

enum class SignatureAlgorithm { kEd25519, kEcdsaP256Sha256, kEcdsaP384Sha384 };

// A public key that verifies signatures, held as its SubjectPublicKeyInfo DER (RFC 5480, RFC 8410).
// The DER must be the one canonical form (named curve, uncompressed point): re-encoding gives the
// same bytes, so that one key has one digest.
class VerifyingKey {
 public:
  // kMalformed (an Ed25519 key that is not canonical or of small order too); kUnsupported for other
  // algorithms and curves. Whether an Ed25519 key is a point of the curve shows at verify.
  static Result<VerifyingKey> from_spki(Bytes der);

  SignatureAlgorithm algorithm() const { return algorithm_; }
  Bytes spki() const { return spki_; }
  // SHA-256 of the SPKI: the identity of the key everywhere in sealpack.
  const Digest& digest() const { return digest_; }

  // Signatures have one encoding: Ed25519 64 bytes; ECDSA r || s, fixed size (P1363), low S.
  // Ed25519 follows one rule whatever library runs it: canonical S, canonical A and R, neither of
  // small order, cofactorless equation. kNotAuthentic, never more than that.
  Status verify(Bytes message, Bytes signature) const;

  bool operator==(const VerifyingKey& other) const { return spki_ == other.spki_; }

 private:
  struct Imported;
  VerifyingKey() = default;

  SignatureAlgorithm algorithm_{};
  ByteVector spki_;
  Digest digest_;
  std::shared_ptr<const Imported> imported_;  // read-only, so copies share it
};

std::size_t signature_size(SignatureAlgorithm algorithm);

// `signature` (r || s) with s replaced by n - s if it is in the upper half: for signatures that
// devices make. kMalformed if it is no signature of that curve, or the algorithm is Ed25519.
Result<ByteVector> ecdsa_with_low_s(SignatureAlgorithm algorithm, Bytes signature);

// Something that signs: a key in memory, a PKCS#11 token.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual const VerifyingKey& public_key() const = 0;
  // The signature in the one encoding above (low S guaranteed).
  virtual Result<ByteVector> sign(Bytes message) const = 0;
};

}  // namespace sealpack::crypto
