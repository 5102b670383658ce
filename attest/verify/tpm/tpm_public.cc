// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/tpm_public.h"

#include "attest/verify/tpm/tpm_algorithms.h"
#include "attest/verify/tpm/tpm_reader.h"

namespace sealpack::attest {
namespace {

constexpr std::uint32_t kKnownAttributes = 0x000f0ff6;
constexpr std::uint16_t kMaxDigest = 64;
constexpr std::uint16_t kMaxModulus = 1024;
constexpr std::uint16_t kMaxCoordinate = 48;

Error unsupported(const std::string& what) {
  return {ErrorCode::kUnsupported, "TPMT_PUBLIC with " + what};
}

// TPMT_SYM_DEF_OBJECT: of storage keys; not looked at beyond its size.
Status skip_symmetric(TpmReader& in) {
  const std::uint16_t algorithm = TRY(in.u16("symmetric algorithm"));
  if (algorithm == tpm::kAlgNull) return done();
  TRY(in.u16("symmetric key size"));
  TRY(in.u16("symmetric mode"));
  return done();
}

// TPMT_RSA_SCHEME, TPMT_ECC_SCHEME.
Result<std::optional<TpmScheme>> parse_scheme(TpmReader& in) {
  TpmScheme scheme;
  scheme.algorithm = TRY(in.u16("scheme"));
  if (scheme.algorithm == tpm::kAlgNull) return std::optional<TpmScheme>();
  if (scheme.algorithm == tpm::kAlgRsaEs) return std::optional<TpmScheme>();
  const std::uint16_t id = TRY(in.u16("hash of the scheme"));
  if (scheme.algorithm == tpm::kAlgEcdaa) return unsupported("the scheme ECDAA");
  const bool signs = scheme.algorithm == tpm::kAlgRsaSsa || scheme.algorithm == tpm::kAlgRsaPss ||
                     scheme.algorithm == tpm::kAlgEcdsa;
  if (!signs) return std::optional<TpmScheme>();
  const auto hash = tpm_hash(id);
  if (!hash || *hash == crypto::HashAlgorithm::kSha1) {
    return unsupported("a scheme of the hash " + std::to_string(id));
  }
  scheme.hash = *hash;
  return std::optional<TpmScheme>(scheme);
}

Result<crypto::DeviceKey> parse_rsa(TpmReader& in) {
  const std::uint16_t bits = TRY(in.u16("keyBits"));
  const std::uint32_t exponent = TRY(in.u32("exponent"));
  const Bytes modulus = TRY(in.sized(kMaxModulus, "modulus"));
  if (modulus.size() * 8 != bits || modulus.empty() || modulus[0] < 0x80) {
    return in.malformed("modulus that has not the " + std::to_string(bits) + " bits it states");
  }
  return crypto::DeviceKey::from_rsa(modulus, exponent == 0 ? 65537 : exponent);
}

// TPMs before revision 1.38 of the specification leave leading zeros of coordinates out (Part 1,
// C.8 asks for them since).
Result<crypto::DeviceKey> parse_ecc(TpmReader& in) {
  const std::uint16_t curve = TRY(in.u16("curveID"));
  const std::uint16_t kdf = TRY(in.u16("kdf"));
  if (kdf != tpm::kAlgNull) TRY(in.u16("hash of the kdf"));
  const Bytes x = TRY(in.sized(kMaxCoordinate, "x"));
  const Bytes y = TRY(in.sized(kMaxCoordinate, "y"));
  if (curve != tpm::kCurveP256 && curve != tpm::kCurveP384) {
    return unsupported("the curve " + std::to_string(curve));
  }
  const std::size_t size = curve == tpm::kCurveP256 ? 32 : 48;
  ByteVector point;
  for (const Bytes coordinate : {x, y}) {
    if (coordinate.empty() || coordinate.size() > size) {
      return in.malformed("point of another curve");
    }
    point.resize(point.size() + size - coordinate.size());
    point.insert(point.end(), coordinate.begin(), coordinate.end());
  }
  return crypto::DeviceKey::from_point(point);
}

// The name covers the bytes as they came.
ByteVector name_of(std::uint16_t algorithm, crypto::HashAlgorithm hash, Bytes bytes) {
  ByteVector name{static_cast<std::uint8_t>(algorithm >> 8U),
                  static_cast<std::uint8_t>(algorithm & 0xffU)};
  const ByteVector digest = crypto::hash(hash, bytes);
  name.insert(name.end(), digest.begin(), digest.end());
  return name;
}

Result<TpmPublic> parse_area(Bytes bytes) {
  TpmReader in(bytes, "TPMT_PUBLIC");
  const std::uint16_t type = TRY(in.u16("type"));
  if (type != tpm::kAlgRsa && type != tpm::kAlgEcc)
    return unsupported("the type " + std::to_string(type));
  const std::uint16_t name_algorithm = TRY(in.u16("nameAlg"));
  const auto name_hash = tpm_hash(name_algorithm);
  if (!name_hash || *name_hash == crypto::HashAlgorithm::kSha1) {
    return unsupported("the name hash " + std::to_string(name_algorithm));
  }
  const std::uint32_t attributes = TRY(in.u32("objectAttributes"));
  if ((attributes & ~kKnownAttributes) != 0) return in.malformed("reserved object attributes");
  TRY(in.sized(kMaxDigest, "authPolicy"));
  TRY(skip_symmetric(in));
  const std::optional<TpmScheme> scheme = TRY(parse_scheme(in));
  crypto::DeviceKey key = TRY(type == tpm::kAlgRsa ? parse_rsa(in) : parse_ecc(in));
  TRY(in.finish());
  return TpmPublic{attributes, scheme, std::move(key), name_of(name_algorithm, *name_hash, bytes)};
}

}  // namespace

Result<TpmPublic> parse_tpm_public(Bytes bytes) {
  TpmReader in(bytes, "TPM2B_PUBLIC");
  // No area is as short as its type, read as a size, says.
  if (TRY(in.u16("size")) == in.remaining()) return parse_area(bytes.subspan(2));
  return parse_area(bytes);
}

std::string why_not_attestation_key(std::uint32_t attributes) {
  struct Needed {
    std::uint32_t bit;
    bool set;
    const char* otherwise;
  };
  static constexpr Needed kNeeded[] = {
      {tpm::kRestricted, true, "is not restricted: it signs whatever it is given"},
      {tpm::kSign, true, "does not sign"},
      {tpm::kDecrypt, false, "decrypts as well"},
      {tpm::kFixedTpm, true, "is not fixed to its TPM"},
      {tpm::kFixedParent, true, "is not fixed to its parent"},
      {tpm::kSensitiveDataOrigin, true, "was not made by its TPM"},
  };
  std::string why;
  for (const Needed& needed : kNeeded) {
    if (((attributes & needed.bit) != 0) == needed.set) continue;
    why += (why.empty() ? "" : ", ") + std::string(needed.otherwise);
  }
  return why;
}

}  // namespace sealpack::attest
