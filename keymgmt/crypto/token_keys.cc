// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/token_keys.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "keymgmt/crypto/openssl_handles.h"
#include "keymgmt/crypto/spki.h"

namespace sealpack::crypto {

namespace {

using internal::FreeWith;
using ParamBuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

internal::BignumPtr number(Bytes big_endian) {
  internal::BignumPtr value(
      BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()), nullptr));
  internal::require(value != nullptr, "out of memory");
  return value;
}

internal::PkeyPtr rsa_key(const BIGNUM* modulus, const BIGNUM* exponent) {
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  internal::require(
      builder != nullptr &&
          OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent) == 1,
      "out of memory");
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder.get()));
  const internal::PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return internal::PkeyPtr(key);
}

}  // namespace

Result<ByteVector> spki_from_point(TokenCurve curve, Bytes point) {
  using internal::KeyKind;
  struct Form {
    TokenCurve curve;
    KeyKind kind;
    std::size_t size;
  };
  constexpr Form kForms[] = {{TokenCurve::kEd25519, KeyKind::kEd25519, 32},
                             {TokenCurve::kP256, KeyKind::kP256, 65},
                             {TokenCurve::kP384, KeyKind::kP384, 97},
                             {TokenCurve::kP521, KeyKind::kP521, 133}};
  constexpr std::uint8_t kUncompressed = 4;
  for (const Form& form : kForms) {
    if (form.curve != curve) continue;
    if (point.size() == form.size &&
        (curve == TokenCurve::kEd25519 || point.front() == kUncompressed)) {
      return internal::spki_from_raw(form.kind, point);
    }
    return Error(ErrorCode::kMalformed, "a public key of this curve has " +
                                            std::to_string(form.size) + " bytes, not " +
                                            std::to_string(point.size()));
  }
  die("a curve of no kind");
}

Result<ByteVector> spki_from_rsa(Bytes modulus, Bytes exponent) {
  const internal::QuietErrors quiet;
  constexpr std::size_t kMaxModulus = 512;
  if (modulus.size() > kMaxModulus + 1 || exponent.size() > kMaxModulus) {
    return Error(ErrorCode::kUnsupported, "RSA keys have 2048 to 4096 bits");
  }
  const internal::PkeyPtr key = rsa_key(number(modulus).get(), number(exponent).get());
  unsigned char* der = nullptr;
  const int size = key == nullptr ? -1 : i2d_PUBKEY(key.get(), &der);
  if (size <= 0) return Error(ErrorCode::kMalformed, "not an RSA public key");
  ByteVector spki(der, der + size);
  OPENSSL_free(der);
  TRY(EncryptionKey::from_spki(spki));
  return spki;
}

ByteVector hash_for_ecdsa(SignatureAlgorithm algorithm, Bytes message) {
  internal::require(algorithm != SignatureAlgorithm::kEd25519, "Ed25519 signs the message itself");
  const bool p256 = algorithm == SignatureAlgorithm::kEcdsaP256Sha256;
  ByteVector out(p256 ? 32 : 48);
  internal::require(EVP_Digest(message.data(), message.size(), out.data(), nullptr,
                               p256 ? EVP_sha256() : EVP_sha384(), nullptr) == 1,
                    "OpenSSL lacks SHA-2");
  return out;
}

Result<SecretBytes> rsa_oaep_unpad(const SecretBytes& block, std::size_t modulus_size) {
  const internal::QuietErrors quiet;
  constexpr std::size_t kSmallestModulus = 256;
  const Error failed(ErrorCode::kKeyUnavailable, "the key does not open the slot");
  if (block.size() > modulus_size || modulus_size < kSmallestModulus) return failed;
  SecretBytes padded(modulus_size);
  const Bytes raw = block.reveal();
  std::copy(raw.begin(), raw.end(),
            padded.reveal_for_writing().end() - static_cast<std::ptrdiff_t>(raw.size()));
  SecretBytes message(modulus_size);
  // Deprecated without a successor: the provider interface unpads only what it decrypted itself.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const int size = RSA_padding_check_PKCS1_OAEP_mgf1(
      message.reveal_for_writing().data(), static_cast<int>(modulus_size), padded.reveal().data(),
      static_cast<int>(modulus_size), static_cast<int>(modulus_size), nullptr, 0, EVP_sha256(),
      EVP_sha256());
#pragma GCC diagnostic pop
  if (size <= 0) return failed;
  return SecretBytes::copy_of(message.reveal().first(static_cast<std::size_t>(size)));
}

}  // namespace sealpack::crypto
