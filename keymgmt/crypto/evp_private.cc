// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/evp_private.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <bit>

namespace sealpack::crypto::internal {
namespace {

using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using ParametersPtr = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

constexpr unsigned kRsaBits = 3072;

bool is_curve(KeyKind kind) {
  return kind == KeyKind::kP256 || kind == KeyKind::kP384 || kind == KeyKind::kP521;
}
std::size_t scalar_size(KeyKind kind) {
  return kind == KeyKind::kP384 ? 48 : kind == KeyKind::kP521 ? 66 : 32;
}
std::size_t public_size(KeyKind kind) {
  return is_curve(kind) ? 1 + 2 * scalar_size(kind) : 32;
}

Error malformed(KeyKind kind) {
  return {ErrorCode::kMalformed, std::string("not a private key for ") + name_of(kind)};
}

// The point [scalar]G, uncompressed; empty unless scalar is in [1, n-1].
ByteVector multiply_base(KeyKind kind, const BIGNUM* scalar) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(kind == KeyKind::kP256   ? NID_X9_62_prime256v1
                                                  : kind == KeyKind::kP384 ? NID_secp384r1
                                                                           : NID_secp521r1));
  require(group != nullptr, "OpenSSL lacks a NIST curve");
  if (BN_is_zero(scalar) != 0 || BN_cmp(scalar, EC_GROUP_get0_order(group.get())) >= 0) return {};
  const PointPtr point(EC_POINT_new(group.get()));
  ByteVector out(public_size(kind));
  require(point != nullptr &&
              EC_POINT_mul(group.get(), point.get(), scalar, nullptr, nullptr, nullptr) == 1 &&
              EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                                 out.data(), out.size(), nullptr) == out.size(),
          "multiplying the base point failed");
  return out;
}

Result<PkeyPtr> import_scalar(KeyKind kind, Bytes raw) {
  const BignumPtr scalar(BN_secure_new());
  require(scalar != nullptr &&
              BN_bin2bn(raw.data(), static_cast<int>(raw.size()), scalar.get()) != nullptr,
          "out of memory");
  BN_set_flags(scalar.get(), BN_FLG_CONSTTIME);
  const ByteVector point = multiply_base(kind, scalar.get());
  if (point.empty()) return malformed(kind);

  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  require(builder != nullptr &&
              OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                              name_of(kind), 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                               point.size()) == 1 &&
              OSSL_PARAM_BLD_push_BN_pad(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get(),
                                         scalar_size(kind)) == 1,
          "out of memory");
  const ParametersPtr parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  require(parameters != nullptr && context != nullptr &&
              EVP_PKEY_fromdata_init(context.get()) == 1 &&
              EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) == 1,
          "importing a private scalar failed");
  return PkeyPtr(key);
}

}  // namespace

PkeyPtr share(const PkeyPtr& key) {
  require(EVP_PKEY_up_ref(key.get()) == 1, "cannot share a key");
  return PkeyPtr(key.get());
}

PkeyPtr generate_key(KeyKind kind) {
  const SecretBytes prepare(0);  // makes the secure heap, where OpenSSL then puts private keys
  EVP_PKEY* key = nullptr;
  if (is_curve(kind)) {
    key = EVP_EC_gen(name_of(kind));
  } else if (kind == KeyKind::kRsa) {
    key = EVP_RSA_gen(kRsaBits);
  } else {
    key = EVP_PKEY_Q_keygen(nullptr, nullptr, name_of(kind));
  }
  require(key != nullptr, "generating a key failed");
  return PkeyPtr(key);
}

Result<PkeyPtr> import_private(KeyKind kind, Bytes raw) {
  const QuietErrors quiet;
  const SecretBytes prepare(0);
  if (kind == KeyKind::kRsa || raw.size() != scalar_size(kind)) return malformed(kind);
  if (is_curve(kind)) return import_scalar(kind, raw);
  PkeyPtr key(
      EVP_PKEY_new_raw_private_key_ex(nullptr, name_of(kind), nullptr, raw.data(), raw.size()));
  if (key == nullptr) return malformed(kind);
  return key;
}

SecretBytes export_private(KeyKind kind, const EVP_PKEY* key) {
  SecretBytes raw(scalar_size(kind));
  const MutableBytes out = raw.reveal_for_writing();
  if (is_curve(kind)) {
    // Straight into the secure heap; EVP_PKEY_get_bn_param would pass through the stack.
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, out.data(), out.size()),
        OSSL_PARAM_construct_end()};
    require(EVP_PKEY_get_params(key, parameters) == 1 && parameters[0].return_size <= out.size(),
            "exporting a private key failed");
    if constexpr (std::endian::native == std::endian::little) std::reverse(out.begin(), out.end());
    return raw;
  }
  std::size_t size = out.size();
  require(EVP_PKEY_get_raw_private_key(key, out.data(), &size) == 1 && size == out.size(),
          "exporting a private key failed");
  return raw;
}

ByteVector public_raw(KeyKind kind, const EVP_PKEY* key) {
  ByteVector raw(public_size(kind));
  std::size_t size = 0;
  require(EVP_PKEY_get_octet_string_param(
              key, is_curve(kind) ? OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY : OSSL_PKEY_PARAM_PUB_KEY,
              raw.data(), raw.size(), &size) == 1 &&
              size == raw.size() && (!is_curve(kind) || raw[0] == 0x04),
          "exporting a public key failed");
  return raw;
}

ByteVector public_spki(KeyKind kind, const EVP_PKEY* key) {
  if (kind != KeyKind::kRsa) return spki_from_raw(kind, public_raw(kind, key));
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  require(size > 0, "exporting a public key failed");
  ByteVector spki(der, der + size);
  OPENSSL_free(der);
  return spki;
}

Result<SecretBytes> diffie_hellman(KeyKind kind, EVP_PKEY* own, Bytes peer) {
  const QuietErrors quiet;
  const PkeyPtr peer_key = TRY(import_public(kind, peer));
  const PkeyContextPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  SecretBytes secret(32);
  std::size_t size = secret.size();
  const bool derived =
      context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
      EVP_PKEY_derive_set_peer(context.get(), peer_key.get()) == 1 &&
      EVP_PKEY_derive(context.get(), secret.reveal_for_writing().data(), &size) == 1 &&
      size == secret.size();
  // RFC 9180 section 7.1.4. Only X25519 reaches zero: x = 0 is a point of P-256 as well, but not
  // one an attacker can steer an unknown scalar to.
  if (!derived || (kind == KeyKind::kX25519 && secret.equals(SecretBytes(32).reveal()))) {
    return Error(ErrorCode::kMalformed, "no shared secret with that public key");
  }
  return secret;
}

}  // namespace sealpack::crypto::internal
