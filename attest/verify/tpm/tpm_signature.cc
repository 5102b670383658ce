// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/tpm_signature.h"

#include <algorithm>

#include "attest/verify/tpm/tpm_algorithms.h"
#include "attest/verify/tpm/tpm_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::uint16_t kMaxRsa = 1024;  // 8192 bits
constexpr std::uint16_t kMaxEcc = 48;    // P-384

Result<crypto::HashAlgorithm> parse_hash(TpmReader& in) {
  const std::uint16_t id = TRY(in.u16("hash"));
  const auto hash = tpm_hash(id);
  if (!hash || *hash == crypto::HashAlgorithm::kSha1) {
    return Error(ErrorCode::kUnsupported, "TPMT_SIGNATURE over the hash " + std::to_string(id) +
                                              "; SHA-256, SHA-384 and SHA-512 are accepted");
  }
  return *hash;
}

std::size_t order_size(crypto::DeviceKey::Type type) {
  switch (type) {
    case crypto::DeviceKey::Type::kEcdsaP256:
      return 32;
    case crypto::DeviceKey::Type::kEcdsaP384:
      return 48;
    case crypto::DeviceKey::Type::kEcdsaP521:
    case crypto::DeviceKey::Type::kRsa:
      break;
  }
  return 0;
}

Status verify_ecdsa(const TpmSignature& signature, const crypto::DeviceKey& key, Bytes message) {
  const std::size_t size = order_size(key.type());
  const Bytes value(signature.value);
  const Bytes r = value.first(signature.r_size);
  const Bytes s = value.subspan(signature.r_size);
  if (r.size() > size || s.size() > size) {
    return Error(ErrorCode::kNotAuthentic, "ECDSA signature that is larger than its key");
  }
  ByteVector r_s(2 * size);
  std::copy(r.begin(), r.end(), r_s.begin() + static_cast<std::ptrdiff_t>(size - r.size()));
  std::copy(s.begin(), s.end(), r_s.end() - static_cast<std::ptrdiff_t>(s.size()));
  return key.verify_ecdsa(signature.scheme.hash, message, r_s);
}

}  // namespace

Result<TpmSignature> parse_tpm_signature(Bytes bytes) {
  TpmReader in(bytes, "TPMT_SIGNATURE");
  TpmSignature signature;
  signature.scheme.algorithm = TRY(in.u16("sigAlg"));
  switch (signature.scheme.algorithm) {
    case tpm::kAlgRsaSsa:
    case tpm::kAlgRsaPss:
      signature.scheme.hash = TRY(parse_hash(in));
      signature.value = to_vector(TRY(in.sized(kMaxRsa, "RSA signature")));
      break;
    case tpm::kAlgEcdsa: {
      signature.scheme.hash = TRY(parse_hash(in));
      signature.value = to_vector(TRY(in.sized(kMaxEcc, "signatureR")));
      signature.r_size = signature.value.size();
      const Bytes s = TRY(in.sized(kMaxEcc, "signatureS"));
      signature.value.insert(signature.value.end(), s.begin(), s.end());
      break;
    }
    default:
      return Error(ErrorCode::kUnsupported, "TPMT_SIGNATURE of the algorithm " +
                                                std::to_string(signature.scheme.algorithm) +
                                                "; RSASSA, RSAPSS and ECDSA are accepted");
  }
  TRY(in.finish());
  return signature;
}

Status verify_tpm_signature(const TpmSignature& signature, const crypto::DeviceKey& key,
                            Bytes message) {
  switch (signature.scheme.algorithm) {
    case tpm::kAlgRsaSsa:
      return key.verify_rsa_pkcs1(signature.scheme.hash, message, signature.value);
    case tpm::kAlgRsaPss:
      return key.verify_rsa_pss(signature.scheme.hash, message, signature.value);
    case tpm::kAlgEcdsa:
      return verify_ecdsa(signature, key, message);
    default:
      return Error(ErrorCode::kNotAuthentic, "signature of an unknown scheme");
  }
}

std::string to_string(const TpmScheme& scheme) {
  const char* name = scheme.algorithm == tpm::kAlgRsaSsa   ? "rsassa"
                     : scheme.algorithm == tpm::kAlgRsaPss ? "rsapss"
                     : scheme.algorithm == tpm::kAlgEcdsa  ? "ecdsa"
                                                           : "unknown scheme";
  return std::string(name) + " with " + crypto::to_string(scheme.hash);
}

}  // namespace sealpack::attest
