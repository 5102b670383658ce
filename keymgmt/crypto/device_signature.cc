// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/device_signature.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "keymgmt/crypto/hash_algorithm.h"

namespace sealpack::crypto {
namespace {

using internal::FreeWith;
using internal::PkeyContextPtr;
using internal::PkeyPtr;
using internal::QuietErrors;
using internal::require;

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

struct Curve {
  DeviceKey::Type type;
  const char* name;
  std::size_t size;  // of a coordinate and of the order, bytes
};
constexpr Curve kCurves[] = {{DeviceKey::Type::kEcdsaP256, "prime256v1", 32},
                             {DeviceKey::Type::kEcdsaP384, "secp384r1", 48},
                             {DeviceKey::Type::kEcdsaP521, "secp521r1", 66}};

const Curve* curve_of(DeviceKey::Type type) {
  for (const Curve& curve : kCurves) {
    if (curve.type == type) return &curve;
  }
  return nullptr;
}

Error malformed(const char* why) {
  return Error(ErrorCode::kMalformed, std::string("device key: ") + why);
}
Error not_authentic() {
  return Error(ErrorCode::kNotAuthentic, "the signature does not hold");
}

Result<DeviceKey::Type> type_of(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    BIGNUM* raw = nullptr;
    require(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) == 1, "RSA exponent");
    const internal::BignumPtr exponent(raw);
    if (bits < kMinRsaBits || bits > kMaxRsaBits || BN_num_bits(raw) > 32 || BN_is_odd(raw) == 0 ||
        BN_is_one(raw) == 1) {
      return Error(ErrorCode::kUnsupported,
                   "RSA key of " + std::to_string(bits) + " bits, or with an unusual exponent");
    }
    return DeviceKey::Type::kRsa;
  }
  std::array<char, 64> name{};
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) == 1) {
    for (const Curve& curve : kCurves) {
      if (std::string_view(name.data()) == curve.name) return curve.type;
    }
  }
  return Error(ErrorCode::kUnsupported,
               "device key of an algorithm or curve that is not supported");
}

PkeyPtr key_from(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>> params(
      OSSL_PARAM_BLD_to_param(builder));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* key = nullptr;
  require(params && context && EVP_PKEY_fromdata_init(context.get()) == 1, "making a public key");
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) key = nullptr;
  return PkeyPtr(key);
}

using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;

// DER of r || s.
std::optional<ByteVector> signature_der(const Curve& curve, Bytes r_s) {
  if (r_s.size() != 2 * curve.size) return std::nullopt;
  const auto size = static_cast<int>(curve.size);
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  require(signature != nullptr, "out of memory");
  require(ECDSA_SIG_set0(signature.get(), BN_bin2bn(r_s.data(), size, nullptr),
                         BN_bin2bn(r_s.data() + curve.size, size, nullptr)) == 1,
          "out of memory");
  unsigned char* der = nullptr;
  const int written = i2d_ECDSA_SIG(signature.get(), &der);
  require(written > 0, "encoding a signature");
  ByteVector out(der, der + written);
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct DeviceKey::State {
  PkeyPtr key;
  Type type;
  ByteVector spki;

  static Result<DeviceKey> make(PkeyPtr key) {
    const Type type = TRY(type_of(key.get()));
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    if (size <= 0) return malformed("it has no encoding");
    ByteVector spki(der, der + size);
    OPENSSL_free(der);
    return DeviceKey(std::make_shared<State>(State{std::move(key), type, std::move(spki)}));
  }

  Status verify(HashAlgorithm hash, Bytes message, Bytes signature, int padding) const {
    const QuietErrors quiet;
    const internal::DigestContextPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* parameters = nullptr;  // owned by context
    require(context && EVP_DigestVerifyInit(context.get(), &parameters, internal::evp_of(hash),
                                            nullptr, key.get()) == 1,
            "starting to verify a signature");
    if (padding != 0) {
      require(EVP_PKEY_CTX_set_rsa_padding(parameters, padding) == 1, "RSA padding");
    }
    if (padding == RSA_PKCS1_PSS_PADDING) {
      require(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_AUTO) == 1, "PSS salt");
    }
    const int verified = EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                          message.data(), message.size());
    return verified == 1 ? done() : Status(not_authentic());
  }
};

Result<DeviceKey> DeviceKey::from_spki(Bytes der) {
  const QuietErrors quiet;
  const unsigned char* cursor = der.data();
  PkeyPtr key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(der.size())));
  if (!key) return malformed("not a SubjectPublicKeyInfo that is understood");
  if (cursor != der.data() + der.size()) return malformed("bytes follow it");
  return State::make(std::move(key));
}

Result<DeviceKey> DeviceKey::from_point(Bytes xy) {
  const QuietErrors quiet;
  for (const Curve& curve : kCurves) {
    if (xy.size() != 2 * curve.size) continue;
    ByteVector point{0x04};
    point.insert(point.end(), xy.begin(), xy.end());
    const Builder builder(OSSL_PARAM_BLD_new());
    require(builder &&
                OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                                curve.name, 0) == 1 &&
                OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                 point.data(), point.size()) == 1,
            "out of memory");
    PkeyPtr key = key_from("EC", builder.get());
    if (!key) return malformed("the point is not on its curve");
    return State::make(std::move(key));
  }
  return malformed("no curve has points of that size");
}

Result<DeviceKey> DeviceKey::from_rsa(Bytes modulus, std::uint32_t exponent) {
  const QuietErrors quiet;
  if (modulus.size() > kMaxRsaBits / 8) return malformed("a modulus of more than 8192 bits");
  const internal::BignumPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const internal::BignumPtr e(BN_new());
  const Builder builder(OSSL_PARAM_BLD_new());
  require(n && e && builder && BN_set_word(e.get(), exponent) == 1 &&
              OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
              OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1,
          "out of memory");
  PkeyPtr key = key_from("RSA", builder.get());
  if (!key) return malformed("not an RSA key");
  return State::make(std::move(key));
}

DeviceKey::Type DeviceKey::type() const {
  return state_->type;
}
const ByteVector& DeviceKey::spki() const {
  return state_->spki;
}

Status DeviceKey::verify_ecdsa(HashAlgorithm hash, Bytes message, Bytes r_s) const {
  const Curve* curve = curve_of(state_->type);
  if (curve == nullptr) return not_authentic();
  const auto der = signature_der(*curve, r_s);
  if (!der) return not_authentic();
  return state_->verify(hash, message, *der, 0);
}

Status DeviceKey::verify_rsa_pkcs1(HashAlgorithm hash, Bytes message, Bytes signature) const {
  if (state_->type != Type::kRsa) return not_authentic();
  return state_->verify(hash, message, signature, RSA_PKCS1_PADDING);
}

Status DeviceKey::verify_rsa_pss(HashAlgorithm hash, Bytes message, Bytes signature) const {
  if (state_->type != Type::kRsa) return not_authentic();
  return state_->verify(hash, message, signature, RSA_PKCS1_PSS_PADDING);
}

}  // namespace sealpack::crypto
