// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/public_area.h"

#include <algorithm>
#include <optional>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/crypto/token_keys.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

// What tells the kinds apart on the wire.
struct Parameters {
  ObjectKind kind;
  std::uint16_t type;
  std::uint16_t name_algorithm;
  std::uint16_t cipher_bits;  // 0: no cipher
  std::uint16_t scheme;
  std::uint16_t curve;
  std::size_t size;  // of the modulus, of a coordinate, of the data's `unique`
};
constexpr Parameters kParameters[] = {
    {ObjectKind::kStorageRsa2048, kAlgRsa, kAlgSha256, 128, kAlgNull, 0, 256},
    {ObjectKind::kStorageRsa3072, kAlgRsa, kAlgSha384, 256, kAlgNull, 0, 384},
    {ObjectKind::kStorageRsa4096, kAlgRsa, kAlgSha384, 256, kAlgNull, 0, 512},
    {ObjectKind::kStorageP256, kAlgEcc, kAlgSha256, 128, kAlgNull, kCurveP256, 32},
    {ObjectKind::kStorageP384, kAlgEcc, kAlgSha384, 256, kAlgNull, kCurveP384, 48},
    {ObjectKind::kStorageP521, kAlgEcc, kAlgSha512, 256, kAlgNull, kCurveP521, 66},
    {ObjectKind::kSignP256, kAlgEcc, kAlgSha256, 0, kAlgEcdsa, kCurveP256, 32},
    {ObjectKind::kAgreeP256, kAlgEcc, kAlgSha256, 0, kAlgEcdh, kCurveP256, 32},
    {ObjectKind::kSealed, kAlgKeyedHash, kAlgSha256, 0, kAlgNull, 0, Digest::kSize},
};

const Parameters& parameters_of(ObjectKind kind) {
  for (const Parameters& row : kParameters) {
    if (row.kind == kind) return row;
  }
  die("an object of no kind");
}

// Of names; nullopt for others.
std::optional<crypto::HashAlgorithm> hash_of(std::uint16_t name_algorithm) {
  switch (name_algorithm) {
    case kAlgSha256:
      return crypto::HashAlgorithm::kSha256;
    case kAlgSha384:
      return crypto::HashAlgorithm::kSha384;
    case kAlgSha512:
      return crypto::HashAlgorithm::kSha512;
    default:
      return std::nullopt;
  }
}

crypto::TokenCurve token_curve(std::uint16_t curve) {
  return curve == kCurveP521   ? crypto::TokenCurve::kP521
         : curve == kCurveP384 ? crypto::TokenCurve::kP384
                               : crypto::TokenCurve::kP256;
}

Error unsupported(std::string_view field, std::uint64_t found) {
  return Error(ErrorCode::kUnsupported, "TPM public area: " + std::string(field) + " " +
                                            std::to_string(found) + " is not supported here");
}

Status expect(WireReader& in, std::uint16_t wanted, std::string_view field) {
  const std::uint16_t found = TRY(in.u16(field));
  return found == wanted ? done() : Status(unsupported(field, found));
}

// TPMT_SYM_DEF_OBJECT: the cipher that protects children, as bits of AES; 0 for none.
Result<std::uint16_t> read_cipher(WireReader& in) {
  const std::uint16_t algorithm = TRY(in.u16("symmetric algorithm"));
  if (algorithm == kAlgNull) return std::uint16_t{0};
  if (algorithm != kAlgAes) return unsupported("symmetric algorithm", algorithm);
  const std::uint16_t bits = TRY(in.u16("symmetric key bits"));
  TRY(expect(in, kAlgCfb, "symmetric mode"));
  if (bits == 0) return unsupported("symmetric key bits", bits);
  return bits;
}

Result<std::uint16_t> read_scheme(WireReader& in) {
  const std::uint16_t scheme = TRY(in.u16("scheme"));
  if (scheme != kAlgNull) TRY(expect(in, kAlgSha256, "hash of the scheme"));
  return scheme;
}

Status read_unique(WireReader& in, const Parameters& row, PublicArea& area) {
  const bool point = row.type == kAlgEcc;
  for (std::size_t part = 0; part < (point ? 2U : 1U); ++part) {
    const Bytes value = TRY(in.sized(row.size, "unique"));
    const std::size_t omitted = row.size - value.size();
    if (point && !value.empty()) {
      area.omitted.at(part) = omitted;
      area.unique.resize(area.unique.size() + omitted);
    } else if (omitted != 0) {
      return in.malformed("unique of " + std::to_string(value.size()) + " bytes, not " +
                          std::to_string(row.size));
    }
    area.unique.insert(area.unique.end(), value.begin(), value.end());
  }
  return done();
}

// What of the parameters stands behind the scheme: which key it is, and the key.
Status read_key(WireReader& in, Parameters found, PublicArea& area) {
  std::uint16_t bits = 0;
  if (found.type == kAlgRsa) {
    bits = TRY(in.u16("RSA key bits"));
    if (TRY(in.u32("exponent")) != 0) return in.malformed("an exponent other than 65537");
  } else if (found.type == kAlgEcc) {
    found.curve = TRY(in.u16("curve"));
    TRY(expect(in, kAlgNull, "key derivation"));
  }
  for (const Parameters& row : kParameters) {
    if (row.type != found.type || row.name_algorithm != found.name_algorithm ||
        row.cipher_bits != found.cipher_bits || row.scheme != found.scheme ||
        row.curve != found.curve || (found.type == kAlgRsa && row.size * 8 != bits)) {
      continue;
    }
    area.kind = row.kind;
    return read_unique(in, row, area);
  }
  return Error(ErrorCode::kUnsupported,
               "TPM public area: key type " + std::to_string(found.type) + ", names by " +
                   std::to_string(found.name_algorithm) + ", AES of " +
                   std::to_string(found.cipher_bits) + " bits, scheme " +
                   std::to_string(found.scheme) + ", RSA of " + std::to_string(bits) +
                   " bits or curve " + std::to_string(found.curve) + ": no kind of object known");
}

Name named(Bytes bytes) {
  const Digest digest = crypto::sha256(bytes);
  return WireWriter().u16(kAlgSha256).raw(digest.bytes).take();
}

}  // namespace

bool is_name(Bytes bytes) {
  if (bytes.size() < 2 || bytes[0] != 0) return false;
  const auto hash = hash_of(bytes[1]);
  return hash && bytes.size() == 2 + crypto::hash_size(*hash);
}

bool is_storage(ObjectKind kind) {
  return cipher_bits(kind) != 0;
}
crypto::HashAlgorithm name_hash(ObjectKind kind) {
  return *hash_of(parameters_of(kind).name_algorithm);
}
std::uint16_t cipher_bits(ObjectKind kind) {
  return parameters_of(kind).cipher_bits;
}

Result<ByteVector> PublicArea::spki() const {
  const Parameters& row = parameters_of(kind);
  if (row.type == kAlgKeyedHash) {
    return Error(ErrorCode::kUnsupported, "sealed data have no public key");
  }
  if (row.type == kAlgRsa) {
    const std::array<std::uint8_t, 3> exponent = {1, 0, 1};
    return crypto::spki_from_rsa(unique, exponent);
  }
  ByteVector point = {4};
  point.insert(point.end(), unique.begin(), unique.end());
  return crypto::spki_from_point(token_curve(row.curve), point);
}

ByteVector serialize_public(const PublicArea& area) {
  const Parameters& row = parameters_of(area.kind);
  WireWriter out;
  out.u16(row.type).u16(row.name_algorithm).u32(area.attributes).sized(area.policy);
  if (row.cipher_bits != 0) {
    out.u16(kAlgAes).u16(row.cipher_bits).u16(kAlgCfb);
  } else if (row.type != kAlgKeyedHash) {
    out.u16(kAlgNull);
  }
  out.u16(row.scheme);
  if (row.scheme != kAlgNull) out.u16(kAlgSha256);
  if (row.type == kAlgRsa) out.u16(static_cast<std::uint16_t>(row.size * 8)).u32(0);
  if (row.type != kAlgEcc) return out.sized(area.unique).take();
  const std::size_t half = area.unique.size() / 2;
  return out.u16(row.curve)
      .u16(kAlgNull)
      .sized(Bytes(area.unique).first(half).subspan(area.omitted[0]))
      .sized(Bytes(area.unique).subspan(half + area.omitted[1]))
      .take();
}

Result<PublicArea> parse_public(Bytes bytes) {
  WireReader in(bytes, "TPM public area");
  Parameters found{};
  PublicArea area;
  found.type = TRY(in.u16("type"));
  if (found.type != kAlgRsa && found.type != kAlgEcc && found.type != kAlgKeyedHash) {
    return unsupported("key type", found.type);
  }
  found.name_algorithm = TRY(in.u16("name algorithm"));
  const auto names = hash_of(found.name_algorithm);
  if (!names) return unsupported("name algorithm", found.name_algorithm);
  area.attributes = TRY(in.u32("attributes"));
  const std::size_t digest_size = crypto::hash_size(*names);
  area.policy = to_vector(TRY(in.sized(digest_size, "policy")));
  if (!area.policy.empty() && area.policy.size() != digest_size) {
    return in.malformed("policy of " + std::to_string(area.policy.size()) + " bytes");
  }
  if (found.type != kAlgKeyedHash) found.cipher_bits = TRY(read_cipher(in));
  found.scheme = TRY(read_scheme(in));
  TRY(read_key(in, found, area));
  TRY(in.finish());
  return area;
}

Name name_of(const PublicArea& area) {
  const std::uint16_t algorithm = parameters_of(area.kind).name_algorithm;
  return WireWriter()
      .u16(algorithm)
      .raw(crypto::hash(name_hash(area.kind), serialize_public(area)))
      .take();
}

Result<PublicArea> external_signing_key(Bytes spki) {
  const crypto::VerifyingKey key = TRY(crypto::VerifyingKey::from_spki(spki));
  if (key.algorithm() != crypto::SignatureAlgorithm::kEcdsaP256Sha256) {
    return Error(ErrorCode::kUnsupported,
                 "a TPM verifies signatures of P-256 keys, and this is none")
        .with_hint("make the key with: sealpack keygen grantor --type p256");
  }
  return PublicArea{ObjectKind::kSignP256, kUserWithAuth | kSign, {}, to_vector(spki.last(64))};
}

PublicArea attestation_p256() {
  const Digest unique = crypto::sha256(as_bytes("sealpack/v1/tpm-attestation-key"));
  ByteVector mixed = to_vector(unique.bytes);
  mixed.resize(64);
  return {
      ObjectKind::kSignP256,
      kFixedTpm | kFixedParent | kSensitiveDataOrigin | kUserWithAuth | kNoDa | kRestricted | kSign,
      {},
      mixed};
}

bool is_attestation_key(const PublicArea& area) {
  PublicArea expected = attestation_p256();
  expected.unique = area.unique;
  expected.omitted = area.omitted;
  return area == expected;
}

ByteVector serialize_nv_public(const CounterIndex& index) {
  // TPMA_NV
  constexpr std::uint32_t kAuthWrite = 1U << 2U;
  constexpr std::uint32_t kCounter = 1U << 4U;
  constexpr std::uint32_t kAuthRead = 1U << 18U;
  constexpr std::uint32_t kNvNoDa = 1U << 25U;
  constexpr std::uint32_t kWritten = 1U << 29U;
  constexpr std::uint16_t kCounterSize = 8;
  return WireWriter()
      .u32(index.handle)
      .u16(kAlgSha256)
      .u32(kAuthWrite | kCounter | kAuthRead | kNvNoDa | (index.written ? kWritten : 0))
      .sized({})
      .u16(kCounterSize)
      .take();
}

Name name_of(const CounterIndex& index) {
  return named(serialize_nv_public(index));
}

}  // namespace sealpack::tpm
