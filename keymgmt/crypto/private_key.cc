// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/private_key.h"

#include <openssl/rsa.h>

#include "keymgmt/crypto/ecdsa_encoding.h"
#include "keymgmt/crypto/hpke.h"
#include "keymgmt/crypto/hpke_ephemeral.h"
#include "keymgmt/crypto/pbes2.h"
#include "keymgmt/crypto/pkcs8.h"
#include "keymgmt/crypto/rsa_oaep.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::PkeyPtr;
using internal::PrivateMaterial;
using internal::QuietErrors;
using internal::require;

class MemorySigner final : public Signer {
 public:
  MemorySigner(PkeyPtr key, VerifyingKey public_key)
      : key_(std::move(key)), public_key_(std::move(public_key)) {}

  const VerifyingKey& public_key() const override { return public_key_; }

  Result<ByteVector> sign(Bytes message) const override {
    const QuietErrors quiet;
    const SignatureAlgorithm algorithm = public_key_.algorithm();
    const bool is_ed25519 = algorithm == SignatureAlgorithm::kEd25519;
    const char* hash = algorithm == SignatureAlgorithm::kEcdsaP384Sha384 ? "SHA384" : "SHA256";
    const internal::DigestContextPtr context(EVP_MD_CTX_new());
    ByteVector signature(signature_size(algorithm) + 16);  // room for DER
    std::size_t size = signature.size();
    require(context != nullptr &&
                EVP_DigestSignInit_ex(context.get(), nullptr, is_ed25519 ? nullptr : hash, nullptr,
                                      nullptr, key_.get(), nullptr) == 1 &&
                EVP_DigestSign(context.get(), signature.data(), &size, message.data(),
                               message.size()) == 1,
            "signing failed");
    signature.resize(size);
    if (is_ed25519) return signature;
    auto strict = internal::ecdsa_strict_from_der(algorithm, signature);
    require(strict.has_value(), "OpenSSL made a signature that is none");
    return *std::move(strict);
  }

 private:
  PkeyPtr key_;
  VerifyingKey public_key_;
};

class MemoryDecryptor final : public Decryptor {
 public:
  MemoryDecryptor(PkeyPtr key, EncryptionKey public_key)
      : key_(std::move(key)), public_key_(std::move(public_key)) {}

  const EncryptionKey& public_key() const override { return public_key_; }

  Result<SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad, Bytes ciphertext) const override {
    TRY(check_encapsulated_key(public_key_, enc));
    const auto dh =
        internal::diffie_hellman(internal::kind_of(public_key_.algorithm()), key_.get(), enc);
    if (!dh.ok()) return does_not_open();
    return hpke_open_with_shared_secret(*dh, enc, public_key_, info, aad, ciphertext);
  }

  Result<SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override {
    if (public_key_.algorithm() != EncryptionAlgorithm::kRsa) {
      return Error(ErrorCode::kUnsupported, "RSA-OAEP takes an RSA key");
    }
    const QuietErrors quiet;
    const std::size_t modulus = static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
    const internal::PkeyContextPtr context(
        EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
    SecretBytes plain(modulus);
    std::size_t size = plain.size();
    // RFC 8017 section 7.1.2: one failure for every reason (Manger's attack).
    if (wrapped.size() != modulus || context == nullptr ||
        EVP_PKEY_decrypt_init(context.get()) != 1 || !internal::set_oaep(context.get()) ||
        EVP_PKEY_decrypt(context.get(), plain.reveal_for_writing().data(), &size, wrapped.data(),
                         wrapped.size()) != 1) {
      return does_not_open();
    }
    return SecretBytes::copy_of(plain.reveal().first(size));
  }

 private:
  static Error does_not_open() {
    return {ErrorCode::kKeyUnavailable, "the recipient's key does not open this"};
  }

  PkeyPtr key_;
  EncryptionKey public_key_;
};

KeyType type_of(const PrivateMaterial& material, PrivateKey::Use use) {
  if (!material.kind.has_value()) return KeyType::kAes256;
  switch (*material.kind) {
    case KeyKind::kEd25519:
      return KeyType::kEd25519;
    case KeyKind::kX25519:
      return KeyType::kX25519;
    case KeyKind::kP256:
      return use == PrivateKey::Use::kSign ? KeyType::kEcdsaP256 : KeyType::kEcdhP256;
    case KeyKind::kP384:
      return KeyType::kEcdsaP384;
    case KeyKind::kRsa:
      return KeyType::kRsa3072;
    case KeyKind::kP521:
      break;  // of endorsement keys alone
  }
  die("unknown key kind");
}

bool signs(KeyType type) {
  return type == KeyType::kEd25519 || type == KeyType::kEcdsaP256 || type == KeyType::kEcdsaP384;
}

KeyKind kind_of(KeyType type) {
  switch (type) {
    case KeyType::kEd25519:
      return KeyKind::kEd25519;
    case KeyType::kEcdsaP256:
    case KeyType::kEcdhP256:
      return KeyKind::kP256;
    case KeyType::kEcdsaP384:
      return KeyKind::kP384;
    case KeyType::kX25519:
      return KeyKind::kX25519;
    case KeyType::kRsa3072:
      return KeyKind::kRsa;
    case KeyType::kAes256:
      break;
  }
  die("an AES key has no public key");
}

}  // namespace

struct PrivateKey::State {
  KeyType type;
  PrivateMaterial material;
  ByteVector spki;

  State(KeyType key_type, PrivateMaterial key_material)
      : type(key_type), material(std::move(key_material)) {
    if (material.kind.has_value()) {
      spki = internal::public_spki(*material.kind, material.key.get());
    }
  }
};

PrivateKey::PrivateKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  PrivateMaterial material;
  if (type == KeyType::kAes256) {
    material.symmetric = WrappingKey::random();
  } else {
    material.kind = kind_of(type);
    material.key = internal::generate_key(*material.kind);
  }
  return PrivateKey(std::make_unique<State>(type, std::move(material)));
}

Result<PrivateKey> PrivateKey::from_pkcs8(const SecretBytes& der, Use wanted_use) {
  PrivateMaterial material = TRY(internal::parse_pkcs8(der.reveal()));
  const KeyType type = type_of(material, wanted_use);
  if (signs(type) != (wanted_use == Use::kSign)) {
    return Error(ErrorCode::kUnsupported, signs(type) ? "this private key signs and cannot unwrap"
                                                      : "this private key unwraps and cannot sign");
  }
  return PrivateKey(std::make_unique<State>(type, std::move(material)));
}

SecretBytes PrivateKey::to_pkcs8() const {
  return internal::serialize_pkcs8(state_->material);
}

ByteVector PrivateKey::to_encrypted_pkcs8(const SecretBytes& passphrase) const {
  return internal::pbes2_encrypt(to_pkcs8(), passphrase);
}

Result<PrivateKey> PrivateKey::from_encrypted_pkcs8(Bytes der, const SecretBytes& passphrase,
                                                    Use wanted_use) {
  const SecretBytes plain = TRY(internal::pbes2_decrypt(der, passphrase));
  auto key = from_pkcs8(plain, wanted_use);
  // Bytes that are no key come from a wrong passphrase whose padding happened to fit.
  if (!key.ok() && key.error().code() == ErrorCode::kMalformed) {
    return Error(ErrorCode::kKeyUnavailable, "the passphrase does not open this private key");
  }
  return key;
}

KeyType PrivateKey::type() const {
  return state_->type;
}
Bytes PrivateKey::spki() const {
  return state_->spki;
}

Result<std::unique_ptr<Signer>> PrivateKey::signer() const {
  if (!signs(state_->type)) return Error(ErrorCode::kUnsupported, "this private key cannot sign");
  return std::unique_ptr<Signer>(std::make_unique<MemorySigner>(
      internal::share(state_->material.key), TRY(VerifyingKey::from_spki(state_->spki))));
}

Result<std::unique_ptr<Decryptor>> PrivateKey::decryptor() const {
  if (signs(state_->type) || state_->type == KeyType::kAes256) {
    return Error(ErrorCode::kUnsupported, "this key has no private half that unwraps");
  }
  return std::unique_ptr<Decryptor>(std::make_unique<MemoryDecryptor>(
      internal::share(state_->material.key), TRY(EncryptionKey::from_spki(state_->spki))));
}

Result<WrappingKey> PrivateKey::wrapping_key() const {
  if (state_->type != KeyType::kAes256) {
    return Error(ErrorCode::kUnsupported, "this key is not an AES-256 wrapping key");
  }
  return state_->material.symmetric->duplicate();
}

}  // namespace sealpack::crypto
