// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/key_wrap.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "keymgmt/crypto/curve25519.h"
#include "keymgmt/crypto/rsa_oaep.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/spki.h"

namespace sealpack::crypto {
namespace {

using internal::KeyKind;
using internal::require;

constexpr std::size_t kBlock = 8;  // semiblocks of RFC 5649

internal::CipherContextPtr kwp_context(const WrappingKey& key, bool wrapping) {
  static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-WRAP-PAD", nullptr);
  internal::CipherContextPtr context(EVP_CIPHER_CTX_new());
  require(context != nullptr, "out of memory");
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  require(EVP_CipherInit_ex2(context.get(), algorithm, key.reveal().data(), nullptr,
                             wrapping ? 1 : 0, nullptr) == 1,
          "AES key wrap failed");
  return context;
}

Result<EncryptionAlgorithm> algorithm_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::kX25519:
      return EncryptionAlgorithm::kX25519;
    case KeyKind::kP256:
      return EncryptionAlgorithm::kP256;
    case KeyKind::kRsa:
      return EncryptionAlgorithm::kRsa;
    case KeyKind::kEd25519:
    case KeyKind::kP384:
    case KeyKind::kP521:
      break;
  }
  return Error(ErrorCode::kUnsupported,
               std::string("secrets are wrapped for X25519, P-256 or RSA keys, not ") +
                   internal::name_of(kind));
}

}  // namespace

ByteVector kwp_wrap(const WrappingKey& key, Bytes secret) {
  require(!secret.empty() && secret.size() <= SecretBytes::kMaxSize,
          "key wrap takes 1 byte to 64 KiB");
  ByteVector wrapped((secret.size() + kBlock - 1) / kBlock * kBlock + kBlock);
  int size = 0;
  require(EVP_CipherUpdate(kwp_context(key, true).get(), wrapped.data(), &size, secret.data(),
                           static_cast<int>(secret.size())) == 1 &&
              static_cast<std::size_t>(size) == wrapped.size(),
          "AES key wrap failed");
  return wrapped;
}

Result<SecretBytes> kwp_unwrap(const WrappingKey& key, Bytes wrapped) {
  const internal::QuietErrors quiet;
  const Error fails(ErrorCode::kKeyUnavailable, "the wrapping key does not open this");
  if (wrapped.size() < 2 * kBlock || wrapped.size() % kBlock != 0 ||
      wrapped.size() > SecretBytes::kMaxSize) {
    return fails;
  }
  SecretBytes padded(wrapped.size());
  int size = 0;
  if (EVP_CipherUpdate(kwp_context(key, false).get(), padded.reveal_for_writing().data(), &size,
                       wrapped.data(), static_cast<int>(wrapped.size())) != 1 ||
      size <= 0) {
    return fails;
  }
  return SecretBytes::copy_of(padded.reveal().first(static_cast<std::size_t>(size)));
}

Result<EncryptionKey> EncryptionKey::from_spki(Bytes der) {
  const internal::PublicKey parsed = TRY(internal::parse_spki(der));
  EncryptionKey key;
  key.algorithm_ = TRY(algorithm_of(parsed.kind));
  // X25519 itself reduces u modulo p and ignores its top bit; one key must have one digest.
  if (parsed.kind == KeyKind::kX25519 &&
      !internal::is_below(parsed.raw, internal::kFieldPrime25519)) {
    return Error(ErrorCode::kMalformed, "the X25519 public key is not canonical (u < p)");
  }
  TRY(internal::import_public_spki(der));
  key.spki_ = to_vector(der);
  key.digest_ = sha256(der);
  return key;
}

bool internal::set_oaep(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md_name(context, "SHA256", nullptr) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, "SHA256", nullptr) == 1;
}

Result<ByteVector> rsa_oaep_wrap(const EncryptionKey& recipient, Bytes secret) {
  const internal::QuietErrors quiet;
  if (recipient.algorithm() != EncryptionAlgorithm::kRsa) {
    return Error(ErrorCode::kUnsupported, "RSA-OAEP takes an RSA key");
  }
  const internal::PkeyPtr key = TRY(internal::import_public_spki(recipient.spki()));
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  const std::size_t modulus = static_cast<std::size_t>(EVP_PKEY_get_size(key.get()));
  // RFC 8017 section 7.1.1
  const std::size_t longest = modulus - 2 * Digest::kSize - 2;
  if (secret.size() > longest) {
    return Error(ErrorCode::kLimit, "this RSA key wraps at most " + std::to_string(longest) +
                                        " bytes, not " + std::to_string(secret.size()));
  }
  ByteVector wrapped(modulus);
  std::size_t size = wrapped.size();
  require(context != nullptr && EVP_PKEY_encrypt_init(context.get()) == 1 &&
              internal::set_oaep(context.get()) &&
              EVP_PKEY_encrypt(context.get(), wrapped.data(), &size, secret.data(),
                               secret.size()) == 1 &&
              size == wrapped.size(),
          "RSA-OAEP encryption failed");
  return wrapped;
}

}  // namespace sealpack::crypto
