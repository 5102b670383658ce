// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/hash.h"

namespace sealpack::crypto {

// A public key that devices of other makers sign evidence with: their algorithms, hashes and
// encodings, which are looser than our own (VerifyingKey). Copies share it, threads may.
class DeviceKey {
 public:
  enum class Type { kEcdsaP256, kEcdsaP384, kEcdsaP521, kRsa };

  // Any SubjectPublicKeyInfo of these types; RSA of 2048 to 8192 bits with an odd e of at most 32
  // bits. kMalformed for points that are not on the curve and for bytes behind it; kUnsupported.
  static Result<DeviceKey> from_spki(Bytes der);
  // X || Y of a point on P-256, P-384 or P-521, by size (64, 96 or 132 bytes); kMalformed.
  static Result<DeviceKey> from_point(Bytes xy);
  // Modulus, big-endian; e of at most 32 bits. As from_spki.
  static Result<DeviceKey> from_rsa(Bytes modulus, std::uint32_t exponent);

  Type type() const;
  const ByteVector& spki() const;  // in OpenSSL's encoding: named curve, uncompressed point

  // All: kNotAuthentic, never more than that, for a wrong type of key too.
  // ECDSA (FIPS 186-5): r || s, big-endian, each the size of the curve's order; any s in [1, n-1].
  Status verify_ecdsa(HashAlgorithm hash, Bytes message, Bytes r_s) const;
  // RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
  Status verify_rsa_pkcs1(HashAlgorithm hash, Bytes message, Bytes signature) const;
  // RSASSA-PSS with MGF1 of the same hash; any salt length.
  Status verify_rsa_pss(HashAlgorithm hash, Bytes message, Bytes signature) const;

 private:
  struct State;
  explicit DeviceKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace sealpack::crypto
