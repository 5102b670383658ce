// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/signature_algorithm.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <memory>

#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::x509 {
namespace {

using crypto::internal::FreeWith;
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, FreeWith<X509_ALGOR_free>>;
using PssPtr = std::unique_ptr<RSA_PSS_PARAMS, FreeWith<RSA_PSS_PARAMS_free>>;

int nid_of(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  return OBJ_obj2nid(object);
}

bool is_strong_hash(const X509_ALGOR* algorithm) {
  // Absent means SHA-1 (RFC 4055 section 3.1).
  if (algorithm == nullptr) return false;
  const int nid = nid_of(algorithm);
  return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

// The parameters of an algorithm as `item` describes them; null where they are none.
template <typename Pointer>
Pointer parameters_of(const X509_ALGOR* algorithm, const ASN1_ITEM* item) {
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return nullptr;
  return Pointer(static_cast<typename Pointer::pointer>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), item)));
}

bool is_strong_pss(const X509_ALGOR* algorithm) {
  const auto pss = parameters_of<PssPtr>(algorithm, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
  if (!pss || !is_strong_hash(pss->hashAlgorithm)) return false;
  const X509_ALGOR* mask = pss->maskGenAlgorithm;
  if (mask == nullptr || nid_of(mask) != NID_mgf1) return false;
  const auto mask_hash = parameters_of<AlgorithmPtr>(mask, ASN1_ITEM_rptr(X509_ALGOR));
  return mask_hash && nid_of(mask_hash.get()) == nid_of(pss->hashAlgorithm);
}

}  // namespace

bool is_strong(const X509_ALGOR* algorithm) {
  static constexpr std::array kStrong{NID_ecdsa_with_SHA256,       NID_ecdsa_with_SHA384,
                                      NID_ecdsa_with_SHA512,       NID_sha256WithRSAEncryption,
                                      NID_sha384WithRSAEncryption, NID_sha512WithRSAEncryption};
  const crypto::internal::QuietErrors quiet;
  const int nid = nid_of(algorithm);
  if (nid == NID_rsassaPss) return is_strong_pss(algorithm);
  return std::find(kStrong.begin(), kStrong.end(), nid) != kStrong.end();
}

bool is_affordable(const EVP_PKEY* key) {
  constexpr int kMaxRsaBits = 8192;
  constexpr int kMaxExponentBits = 64;
  constexpr int kMaxCurveBits = 521;
  const crypto::internal::QuietErrors quiet;
  const int type = key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_EC) return EVP_PKEY_get_bits(key) <= kMaxCurveBits;
  if (type != EVP_PKEY_RSA && type != EVP_PKEY_RSA_PSS) return key != nullptr;
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number) != 1) return false;
  const std::unique_ptr<BIGNUM, FreeWith<BN_free>> exponent(number);
  return EVP_PKEY_get_bits(key) <= kMaxRsaBits && BN_num_bits(number) <= kMaxExponentBits;
}

}  // namespace sealpack::x509
