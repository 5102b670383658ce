// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/public_area.h"

#include <algorithm>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/crypto/token_keys.h"
#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

// TPM_ALG_ID, TPM_ECC_CURVE
constexpr std::uint16_t kRsa = 0x0001;
constexpr std::uint16_t kAes = 0x0006;
constexpr std::uint16_t kKeyedHash = 0x0008;
constexpr std::uint16_t kSha256 = 0x000b;
constexpr std::uint16_t kNull = 0x0010;
constexpr std::uint16_t kEcdsa = 0x0018;
constexpr std::uint16_t kEcdh = 0x0019;
constexpr std::uint16_t kEcc = 0x0023;
constexpr std::uint16_t kCfb = 0x0043;
constexpr std::uint16_t kP256 = 0x0003;

constexpr std::size_t kModulusSize = 256;
constexpr std::size_t kCoordinateSize = 32;

std::uint16_t algorithm_of(ObjectKind kind) {
  if (kind == ObjectKind::kStorageRsa2048) return kRsa;
  return kind == ObjectKind::kSealed ? kKeyedHash : kEcc;
}

bool is_storage(ObjectKind kind) {
  return kind == ObjectKind::kStorageRsa2048 || kind == ObjectKind::kStorageP256;
}

// TPMT_SYM_DEF_OBJECT: the cipher that protects children, or none.
void write_symmetric(WireWriter& out, ObjectKind kind) {
  if (is_storage(kind)) {
    out.u16(kAes).u16(128).u16(kCfb);
  } else {
    out.u16(kNull);
  }
}

void write_scheme(WireWriter& out, ObjectKind kind) {
  if (kind == ObjectKind::kSignP256) {
    out.u16(kEcdsa).u16(kSha256);
  } else if (kind == ObjectKind::kAgreeP256) {
    out.u16(kEcdh).u16(kSha256);
  } else {
    out.u16(kNull);
  }
}

Status expect(WireReader& in, std::uint16_t wanted, std::string_view field) {
  const std::uint16_t found = TRY(in.u16(field));
  if (found == wanted) return done();
  return Error(ErrorCode::kUnsupported, "TPM public area: " + std::string(field) + " " +
                                            std::to_string(found) + ", only " +
                                            std::to_string(wanted) + " is supported here");
}

// Which kind an elliptic-curve key is, from its symmetric cipher and scheme.
Result<ObjectKind> read_ecc_kind(WireReader& in) {
  const std::uint16_t symmetric = TRY(in.u16("symmetric algorithm"));
  if (symmetric == kAes) {
    TRY(expect(in, 128, "symmetric key bits"));
    TRY(expect(in, kCfb, "symmetric mode"));
    TRY(expect(in, kNull, "scheme"));
    return ObjectKind::kStorageP256;
  }
  if (symmetric != kNull) {
    return Error(ErrorCode::kUnsupported,
                 "TPM public area: symmetric algorithm " + std::to_string(symmetric));
  }
  const std::uint16_t scheme = TRY(in.u16("scheme"));
  if (scheme != kEcdsa && scheme != kEcdh) {
    return Error(ErrorCode::kUnsupported, "TPM public area: scheme " + std::to_string(scheme));
  }
  TRY(expect(in, kSha256, "hash of the scheme"));
  return scheme == kEcdsa ? ObjectKind::kSignP256 : ObjectKind::kAgreeP256;
}

Status read_parameters(WireReader& in, std::uint16_t type, PublicArea& area) {
  if (type == kRsa) {
    TRY(expect(in, kAes, "symmetric algorithm"));
    TRY(expect(in, 128, "symmetric key bits"));
    TRY(expect(in, kCfb, "symmetric mode"));
    TRY(expect(in, kNull, "scheme"));
    TRY(expect(in, kModulusSize * 8, "RSA key bits"));
    if (TRY(in.u32("exponent")) != 0) return in.malformed("an exponent other than 65537");
    area.kind = ObjectKind::kStorageRsa2048;
    area.unique = to_vector(TRY(in.sized(kModulusSize, "modulus")));
    if (area.unique.size() != kModulusSize) return in.malformed("modulus of another size");
    return done();
  }
  if (type == kKeyedHash) {
    TRY(expect(in, kNull, "scheme"));
    area.kind = ObjectKind::kSealed;
    area.unique = to_vector(TRY(in.sized(Digest::kSize, "unique")));
    if (area.unique.size() != Digest::kSize) return in.malformed("unique of another size");
    return done();
  }
  if (type != kEcc) {
    return Error(ErrorCode::kUnsupported, "TPM public area: key type " + std::to_string(type));
  }
  area.kind = TRY(read_ecc_kind(in));
  TRY(expect(in, kP256, "curve"));
  TRY(expect(in, kNull, "key derivation"));
  for (const char* coordinate : {"x", "y"}) {
    const Bytes value = TRY(in.sized(kCoordinateSize, coordinate));
    if (value.size() > kCoordinateSize || value.empty()) return in.malformed("no coordinate");
    // A TPM may leave out leading zeros; one form is kept.
    if (value.size() != kCoordinateSize) return in.malformed("coordinate without leading zeros");
    area.unique.insert(area.unique.end(), value.begin(), value.end());
  }
  return done();
}

Name named(Bytes bytes) {
  const Digest digest = crypto::sha256(bytes);
  return WireWriter().u16(kSha256).raw(digest.bytes).take();
}

// TPM2_PolicySecret(TPM_RH_ENDORSEMENT), as the EK Credential Profile gives it (PolicyA).
ByteVector endorsement_policy() {
  return {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
          0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
          0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
}

constexpr std::uint32_t kEndorsementAttributes =
    kFixedTpm | kFixedParent | kSensitiveDataOrigin | kAdminWithPolicy | kRestricted | kDecrypt;

}  // namespace

Result<ByteVector> PublicArea::spki() const {
  if (kind == ObjectKind::kSealed) {
    return Error(ErrorCode::kUnsupported, "sealed data have no public key");
  }
  if (kind == ObjectKind::kStorageRsa2048) {
    const std::array<std::uint8_t, 3> exponent = {1, 0, 1};
    return crypto::spki_from_rsa(unique, exponent);
  }
  ByteVector point = {4};
  point.insert(point.end(), unique.begin(), unique.end());
  return crypto::spki_from_point(crypto::TokenCurve::kP256, point);
}

ByteVector serialize_public(const PublicArea& area) {
  WireWriter out;
  out.u16(algorithm_of(area.kind)).u16(kSha256).u32(area.attributes).sized(area.policy);
  if (area.kind == ObjectKind::kSealed) {
    return out.u16(kNull).sized(area.unique).take();
  }
  write_symmetric(out, area.kind);
  write_scheme(out, area.kind);
  if (area.kind == ObjectKind::kStorageRsa2048) {
    return out.u16(kModulusSize * 8).u32(0).sized(area.unique).take();
  }
  const Bytes point(area.unique);
  out.u16(kP256).u16(kNull);
  return out.sized(point.first(kCoordinateSize)).sized(point.subspan(kCoordinateSize)).take();
}

Result<PublicArea> parse_public(Bytes bytes) {
  WireReader in(bytes, "TPM public area");
  PublicArea area;
  const std::uint16_t type = TRY(in.u16("type"));
  TRY(expect(in, kSha256, "name algorithm"));
  area.attributes = TRY(in.u32("attributes"));
  area.policy = to_vector(TRY(in.sized(Digest::kSize, "policy")));
  if (!area.policy.empty() && area.policy.size() != Digest::kSize) {
    return in.malformed("policy of " + std::to_string(area.policy.size()) + " bytes");
  }
  TRY(read_parameters(in, type, area));
  TRY(in.finish());
  return area;
}

Name name_of(const PublicArea& area) {
  return named(serialize_public(area));
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

PublicArea endorsement_rsa2048() {
  return {ObjectKind::kStorageRsa2048, kEndorsementAttributes, endorsement_policy(),
          ByteVector(kModulusSize)};
}

PublicArea endorsement_p256() {
  return {ObjectKind::kStorageP256, kEndorsementAttributes, endorsement_policy(),
          ByteVector(2 * kCoordinateSize)};
}

PublicArea attestation_p256() {
  const Digest unique = crypto::sha256(as_bytes("sealpack/v1/tpm-attestation-key"));
  ByteVector mixed = to_vector(unique.bytes);
  mixed.resize(2 * kCoordinateSize);
  return {
      ObjectKind::kSignP256,
      kFixedTpm | kFixedParent | kSensitiveDataOrigin | kUserWithAuth | kNoDa | kRestricted | kSign,
      {},
      mixed};
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
      .u16(kSha256)
      .u32(kAuthWrite | kCounter | kAuthRead | kNvNoDa | (index.written ? kWritten : 0))
      .sized({})
      .u16(kCounterSize)
      .take();
}

Name name_of(const CounterIndex& index) {
  return named(serialize_nv_public(index));
}

}  // namespace sealpack::tpm
