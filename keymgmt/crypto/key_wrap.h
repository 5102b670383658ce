// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::crypto {

// AES-256 key wrap with padding (RFC 5649, SP 800-38F KWP). `secret` has 1 byte to 64 KiB; else the
// process ends.
ByteVector kwp_wrap(const WrappingKey& key, Bytes secret);
// kKeyUnavailable when it does not unwrap, never why.
Result<SecretBytes> kwp_unwrap(const WrappingKey& key, Bytes wrapped);

enum class EncryptionAlgorithm { kX25519, kP256, kRsa };  // RSA: 2048 to 4096 bits, e = 65537

// A public key that wraps secrets, as canonical SubjectPublicKeyInfo DER.
class EncryptionKey {
 public:
  // kMalformed, kUnsupported as for VerifyingKey; an X25519 u coordinate is below p.
  static Result<EncryptionKey> from_spki(Bytes der);
  EncryptionAlgorithm algorithm() const { return algorithm_; }
  Bytes spki() const { return spki_; }
  const Digest& digest() const { return digest_; }  // SHA-256 of the SPKI

 private:
  EncryptionKey() = default;

  EncryptionAlgorithm algorithm_{};
  ByteVector spki_;
  Digest digest_;
};

// HPKE base mode, single shot (RFC 9180 section 6.1): DHKEM(X25519, HKDF-SHA256) 0x0020 or
// DHKEM(P-256, HKDF-SHA256) 0x0010, HKDF-SHA256 0x0001, AES-256-GCM 0x0002.
struct HpkeSealed {
  ByteVector enc;         // 32 bytes (X25519) or 65 bytes (P-256, uncompressed)
  ByteVector ciphertext;  // plaintext size + 16
};
// kUnsupported for RSA keys; kMalformed for keys whose shared secret is all zero; kLimit if `plain`
// or `aad` exceeds 64 KiB. hpke.h has the steps around the private key for keys in devices.
Result<HpkeSealed> hpke_seal(const EncryptionKey& recipient, Bytes info, Bytes aad, Bytes plain);

// RSA-OAEP with SHA-256 and MGF1-SHA-256, empty label. kUnsupported for other keys; kLimit if
// `secret` is longer than the modulus minus 66 bytes.
Result<ByteVector> rsa_oaep_wrap(const EncryptionKey& recipient, Bytes secret);

// The private side: a key in memory, a PKCS#11 token.
class Decryptor {
 public:
  virtual ~Decryptor() = default;
  virtual const EncryptionKey& public_key() const = 0;
  // All: kKeyUnavailable when it does not open, never why; kUnsupported for the wrong algorithm.
  virtual Result<SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const = 0;
  virtual Result<SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const = 0;
};

}  // namespace sealpack::crypto
