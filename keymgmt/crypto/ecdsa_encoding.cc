// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/ecdsa_encoding.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>

#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto {
namespace internal {
namespace {

using EcdsaPtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;

struct Order {
  BignumPtr whole;
  BignumPtr half;  // rounded down; n is odd
};

Order make_order(int curve) {
  const GroupPtr group(EC_GROUP_new_by_curve_name(curve));
  require(group != nullptr, "OpenSSL lacks a NIST curve");
  Order order{BignumPtr(BN_dup(EC_GROUP_get0_order(group.get()))), BignumPtr(BN_new())};
  require(order.whole != nullptr && order.half != nullptr &&
              BN_rshift1(order.half.get(), order.whole.get()) == 1,
          "out of memory");
  return order;
}

const Order& order_of(SignatureAlgorithm algorithm) {
  static const Order p256 = make_order(NID_X9_62_prime256v1);
  static const Order p384 = make_order(NID_secp384r1);
  return algorithm == SignatureAlgorithm::kEcdsaP256Sha256 ? p256 : p384;
}

bool in_range(const BIGNUM* value, const BIGNUM* limit) {
  return BN_is_zero(value) == 0 && BN_is_negative(value) == 0 && BN_cmp(value, limit) < 0;
}

BignumPtr read(Bytes bytes) {
  BignumPtr value(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  require(value != nullptr, "out of memory");
  return value;
}

std::optional<ByteVector> low_s(SignatureAlgorithm algorithm, const BIGNUM* r, const BIGNUM* s) {
  const Order& order = order_of(algorithm);
  if (!in_range(r, order.whole.get()) || !in_range(s, order.whole.get())) return std::nullopt;
  BignumPtr low(BN_dup(s));
  require(low != nullptr, "out of memory");
  // (r, s) and (r, n - s) both hold; only one of them is a signature here, so nobody can make a
  // second signature out of a first.
  if (BN_cmp(s, order.half.get()) > 0) {
    require(BN_sub(low.get(), order.whole.get(), s) == 1, "out of memory");
  }
  const std::size_t size = signature_size(algorithm);
  const int half = static_cast<int>(size / 2);
  ByteVector out(size);
  require(BN_bn2binpad(r, out.data(), half) == half &&
              BN_bn2binpad(low.get(), out.data() + half, half) == half,
          "an ECDSA integer exceeds its curve");
  return out;
}

}  // namespace

std::optional<ByteVector> ecdsa_der_from_strict(SignatureAlgorithm algorithm, Bytes signature) {
  if (signature.size() != signature_size(algorithm)) return std::nullopt;
  const Order& order = order_of(algorithm);
  BignumPtr r = read(signature.first(signature.size() / 2));
  BignumPtr s = read(signature.last(signature.size() / 2));
  if (!in_range(r.get(), order.whole.get()) || !in_range(s.get(), order.whole.get()) ||
      BN_cmp(s.get(), order.half.get()) > 0) {
    return std::nullopt;
  }
  const EcdsaPtr pair(ECDSA_SIG_new());
  require(pair != nullptr && ECDSA_SIG_set0(pair.get(), r.release(), s.release()) == 1,
          "out of memory");
  ByteVector der(signature.size() + 16);
  unsigned char* cursor = der.data();
  const int size = i2d_ECDSA_SIG(pair.get(), &cursor);
  require(size > 0 && static_cast<std::size_t>(size) <= der.size(), "cannot encode a signature");
  der.resize(static_cast<std::size_t>(size));
  return der;
}

std::optional<ByteVector> ecdsa_strict_from_der(SignatureAlgorithm algorithm, Bytes der) {
  const QuietErrors quiet;
  const unsigned char* cursor = der.data();
  const EcdsaPtr pair(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(der.size())));
  if (pair == nullptr || cursor != der.data() + der.size()) return std::nullopt;
  return low_s(algorithm, ECDSA_SIG_get0_r(pair.get()), ECDSA_SIG_get0_s(pair.get()));
}

}  // namespace internal

Result<ByteVector> ecdsa_with_low_s(SignatureAlgorithm algorithm, Bytes signature) {
  if (algorithm != SignatureAlgorithm::kEd25519 && signature.size() == signature_size(algorithm)) {
    auto low =
        internal::low_s(algorithm, internal::read(signature.first(signature.size() / 2)).get(),
                        internal::read(signature.last(signature.size() / 2)).get());
    if (low.has_value()) return *std::move(low);
  }
  return Error(ErrorCode::kMalformed, "not an ECDSA signature (r || s) of this curve");
}

}  // namespace sealpack::crypto
