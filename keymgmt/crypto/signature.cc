// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/signature.h"

#include <algorithm>

#include "keymgmt/crypto/curve25519.h"
#include "keymgmt/crypto/ecdsa_encoding.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/spki.h"

namespace sealpack::crypto {
namespace {

using internal::is_below;
using internal::KeyKind;
using internal::PkeyPtr;

constexpr std::size_t kEd25519PointSize = 32;
using Encoding = internal::LittleEndian256;

// y coordinates of the eight points of small order (x differs in sign only), little-endian. With
// such a key or nonce point one signature fits many messages or keys, so "who signed" has no answer
// (Chalkias, Garillot, Nikolaenko: Taming the many EdDSAs, ePrint 2020/1244). No honest key
// generation reaches them.
constexpr Encoding kSmallOrder[] = {
    {},      // order 4
    {0x01},  // order 1
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},  // order 2
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},  // order 8
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},  // order 8
};

// The order of the base point, little-endian.
constexpr Encoding kGroupOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

// Canonical (y < p) and not of small order. The sign bit of x is masked first: it tells apart
// points of one y, and for x = 0 (order 1 and 2) its being set is one more non-canonical form,
// which the list therefore covers.
bool is_acceptable_point(Bytes encoding) {
  Encoding y;
  std::copy(encoding.begin(), encoding.end(), y.begin());
  y.back() &= 0x7f;
  return is_below(y, internal::kFieldPrime25519) &&
         std::find(std::begin(kSmallOrder), std::end(kSmallOrder), y) == std::end(kSmallOrder);
}

// The part of the rule that libraries differ in. That the points lie on the curve and that
// [S]B = R + [k]A, without a cofactor, is OpenSSL's part; A was checked when the key was read.
bool is_acceptable_ed25519(Bytes signature) {
  return signature.size() == 64 && is_acceptable_point(signature.first(kEd25519PointSize)) &&
         is_below(signature.last(kEd25519PointSize), kGroupOrder);
}

const char* hash_name(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEd25519:
      return nullptr;
    case SignatureAlgorithm::kEcdsaP256Sha256:
      return "SHA256";
    case SignatureAlgorithm::kEcdsaP384Sha384:
      return "SHA384";
  }
  die("unknown signature algorithm");
}

Result<SignatureAlgorithm> algorithm_of(KeyKind kind) {
  switch (kind) {
    case KeyKind::kEd25519:
      return SignatureAlgorithm::kEd25519;
    case KeyKind::kP256:
      return SignatureAlgorithm::kEcdsaP256Sha256;
    case KeyKind::kP384:
      return SignatureAlgorithm::kEcdsaP384Sha384;
    case KeyKind::kX25519:
    case KeyKind::kP521:
    case KeyKind::kRsa:
      break;
  }
  return Error(ErrorCode::kUnsupported,
               std::string("signatures are by Ed25519, P-256 or P-384 keys, not ") +
                   internal::name_of(kind));
}

bool library_verifies(EVP_PKEY* key, SignatureAlgorithm algorithm, Bytes message, Bytes signature) {
  const internal::QuietErrors quiet;
  const internal::DigestContextPtr context(EVP_MD_CTX_new());
  return context != nullptr &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, hash_name(algorithm), nullptr, nullptr,
                                 key, nullptr) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace

struct VerifyingKey::Imported {
  PkeyPtr key;
};

Result<VerifyingKey> VerifyingKey::from_spki(Bytes der) {
  const internal::PublicKey parsed = TRY(internal::parse_spki(der));
  VerifyingKey key;
  key.algorithm_ = TRY(algorithm_of(parsed.kind));
  if (parsed.kind == KeyKind::kEd25519 && !is_acceptable_point(parsed.raw)) {
    return Error(ErrorCode::kMalformed,
                 "the Ed25519 public key is not canonical or of small order");
  }
  key.spki_ = to_vector(der);
  key.digest_ = sha256(der);
  key.imported_ =
      std::make_shared<Imported>(Imported{TRY(internal::import_public(parsed.kind, parsed.raw))});
  return key;
}

Status VerifyingKey::verify(Bytes message, Bytes signature) const {
  bool holds = false;
  if (algorithm_ == SignatureAlgorithm::kEd25519) {
    holds = is_acceptable_ed25519(signature) &&
            library_verifies(imported_->key.get(), algorithm_, message, signature);
  } else {
    const auto der = internal::ecdsa_der_from_strict(algorithm_, signature);
    holds = der.has_value() && library_verifies(imported_->key.get(), algorithm_, message, *der);
  }
  if (holds) return done();
  return Error(ErrorCode::kNotAuthentic, "the signature does not hold");
}

std::size_t signature_size(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kEd25519:
    case SignatureAlgorithm::kEcdsaP256Sha256:
      return 64;
    case SignatureAlgorithm::kEcdsaP384Sha384:
      return 96;
  }
  die("unknown signature algorithm");
}

}  // namespace sealpack::crypto
