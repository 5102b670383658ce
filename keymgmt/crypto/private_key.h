// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::crypto {

enum class KeyType { kEd25519, kEcdsaP256, kEcdsaP384, kX25519, kEcdhP256, kRsa3072, kAes256 };

// A private key in memory. Signs or unwraps depending on its type; the type is fixed at creation.
// kEcdsaP256 and kEcdhP256 share an encoding, so a caller says what it expects when it reads one.
// kRsa3072: generate() makes 3072 bits; keys that are read have 2048 to 4096.
class PrivateKey {
 public:
  static Result<PrivateKey> generate(KeyType type);

  // Unencrypted PKCS#8 PrivateKeyInfo DER (RFC 5958). Symmetric keys carry the algorithm
  // id-aes256-wrap-pad (2.16.840.1.101.3.4.1.48). `wanted_use` chooses between
  // signing and key agreement for P-256. kMalformed; kUnsupported for other algorithms and for keys
  // that do not serve `wanted_use` (an AES-256 key unwraps).
  enum class Use { kSign, kUnwrap };
  static Result<PrivateKey> from_pkcs8(const SecretBytes& der, Use wanted_use);
  SecretBytes to_pkcs8() const;

  // PKCS#8 EncryptedPrivateKeyInfo DER, PBES2 with scrypt (N = 2^17, r = 8, p = 1) and AES-256-CBC.
  ByteVector to_encrypted_pkcs8(const SecretBytes& passphrase) const;
  // kKeyUnavailable for a wrong passphrase. scrypt costs beyond N = 2^20, r = 8, p = 1 and other
  // schemes are kUnsupported, before anything is derived, so that a key file cannot exhaust memory;
  // kLimit if the memory for permitted costs (1 GiB at most) is not to be had.
  static Result<PrivateKey> from_encrypted_pkcs8(Bytes der, const SecretBytes& passphrase,
                                                 Use wanted_use);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  KeyType type() const;
  // SubjectPublicKeyInfo DER; empty for kAes256.
  Bytes spki() const;

  // kUnsupported if the type does not fit. The results own what they need.
  Result<std::unique_ptr<Signer>> signer() const;
  Result<std::unique_ptr<Decryptor>> decryptor() const;
  Result<WrappingKey> wrapping_key() const;

 private:
  struct State;
  explicit PrivateKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::crypto
