// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/tpm/endorsement.h"

#include "keymgmt/tpm/wire.h"

namespace sealpack::tpm {
namespace {

constexpr EndorsementProfile kProfiles[] = {
    {EndorsementKind::kP256, "p256", ObjectKind::kStorageP256, 0x81010002, 0x01c0000a, 0x01c0000b,
     0x01c0000c},
    {EndorsementKind::kP384, "p384", ObjectKind::kStorageP384, 0x81010016, 0x01c00016, 0,
     0x01c00017},
    {EndorsementKind::kP521, "p521", ObjectKind::kStorageP521, 0x81010018, 0x01c00018, 0,
     0x01c00019},
    {EndorsementKind::kP256High, "p256-high", ObjectKind::kStorageP256, 0x81010014, 0x01c00014, 0,
     0x01c00015},
    {EndorsementKind::kRsa2048, "rsa2048", ObjectKind::kStorageRsa2048, 0x81010001, 0x01c00002,
     0x01c00003, 0x01c00004},
    {EndorsementKind::kRsa2048High, "rsa2048-high", ObjectKind::kStorageRsa2048, 0x81010012,
     0x01c00012, 0, 0x01c00013},
    {EndorsementKind::kRsa3072, "rsa3072", ObjectKind::kStorageRsa3072, 0x8101001c, 0x01c0001c, 0,
     0x01c0001d},
    {EndorsementKind::kRsa4096, "rsa4096", ObjectKind::kStorageRsa4096, 0x8101001e, 0x01c0001e, 0,
     0x01c0001f},
};

constexpr std::uint32_t kStays =
    kFixedTpm | kFixedParent | kSensitiveDataOrigin | kRestricted | kDecrypt;

// TPM_CC
constexpr std::uint32_t kPolicySecret = 0x151;
constexpr std::uint32_t kPolicyOr = 0x171;
constexpr std::uint32_t kPolicyAuthorizeNv = 0x192;
constexpr std::uint32_t kEndorsementHierarchy = 0x4000000b;

bool is_low_range(const EndorsementProfile& profile) {
  return profile.nonce != 0;
}

// Name of the NV index that holds the policy of PolicyC (section B.5.2).
Name index_of_policy_c(crypto::HashAlgorithm hash) {
  const std::uint16_t algorithm = hash == crypto::HashAlgorithm::kSha512   ? kAlgSha512
                                  : hash == crypto::HashAlgorithm::kSha384 ? kAlgSha384
                                                                           : kAlgSha256;
  // TPMA_NV: POLICYWRITE, WRITEALL, PPREAD, OWNERREAD, AUTHREAD, POLICYREAD, NO_DA, WRITTEN
  constexpr std::uint32_t kAttributes = 1U << 3U | 1U << 12U | 0xfU << 16U | 1U << 25U | 1U << 29U;
  const ByteVector policy = policy_a(hash);
  const ByteVector area = WireWriter()
                              .u32(0x01c07f01U + algorithm - kAlgSha256)
                              .u16(algorithm)
                              .u32(kAttributes)
                              .sized(policy)
                              .u16(static_cast<std::uint16_t>(2 + policy.size()))
                              .take();
  return WireWriter().u16(algorithm).raw(crypto::hash(hash, area)).take();
}

// Of the DER value that begins here, with its head. kMalformed.
Result<std::size_t> der_size(Bytes bytes) {
  constexpr std::uint8_t kSequence = 0x30;
  const auto malformed = [](const char* why) {
    return Error(ErrorCode::kMalformed, std::string("certificate in a TPM: ") + why);
  };
  if (bytes.size() < 2 || bytes[0] != kSequence) return malformed("no DER sequence");
  std::size_t head = 2;
  std::size_t size = bytes[1];
  if (size >= 0x80) {
    const std::size_t count = size & 0x7fU;
    if (count == 0 || count > 2 || bytes.size() < 2 + count) return malformed("a length too long");
    size = 0;
    for (std::size_t i = 0; i < count; ++i) size = size << 8U | bytes[2 + i];
    head += count;
  }
  if (size > bytes.size() - head) return malformed("it is cut off");
  if (head + size > kMaxCertificateSize) {
    return Error(ErrorCode::kLimit, "a certificate of " + format_size(head + size) +
                                        " in a TPM, at most " + format_size(kMaxCertificateSize) +
                                        " are read");
  }
  return head + size;
}

}  // namespace

std::span<const EndorsementProfile> endorsement_profiles() {
  return kProfiles;
}

const EndorsementProfile& profile_of(EndorsementKind kind) {
  for (const EndorsementProfile& profile : kProfiles) {
    if (profile.kind == kind) return profile;
  }
  die("an endorsement key of no kind");
}

std::optional<EndorsementKind> endorsement_kind(std::uint64_t number) {
  for (const EndorsementProfile& profile : kProfiles) {
    if (static_cast<std::uint64_t>(profile.kind) == number) return profile.kind;
  }
  return std::nullopt;
}

PublicArea endorsement_template(EndorsementKind kind) {
  const EndorsementProfile& profile = profile_of(kind);
  const crypto::HashAlgorithm hash = name_hash(profile.object);
  if (!is_low_range(profile)) {
    return {profile.object, kStays | kUserWithAuth | kAdminWithPolicy, policy_b(hash), {}};
  }
  const std::size_t unique = profile.object == ObjectKind::kStorageRsa2048 ? 256 : 64;
  return {profile.object, kStays | kAdminWithPolicy, policy_a(hash), ByteVector(unique)};
}

std::string why_not_endorsement_key(const PublicArea& area) {
  if (!is_storage(area.kind)) return "is no key that protects others";
  if ((area.attributes & kStays) != kStays) {
    return "has not the attributes of a key that was born in its TPM and stays there";
  }
  if ((area.attributes & kSign) != 0) return "signs as well";
  return "";
}

ByteVector policy_a(crypto::HashAlgorithm hash) {
  const ByteVector start(crypto::hash_size(hash));
  const ByteVector secret = crypto::hash(
      hash, WireWriter().raw(start).u32(kPolicySecret).u32(kEndorsementHierarchy).take());
  return crypto::hash(hash, secret);  // no policyRef
}

ByteVector policy_c(crypto::HashAlgorithm hash) {
  const ByteVector start(crypto::hash_size(hash));
  return crypto::hash(
      hash, WireWriter().raw(start).u32(kPolicyAuthorizeNv).raw(index_of_policy_c(hash)).take());
}

ByteVector policy_b(crypto::HashAlgorithm hash) {
  const ByteVector start(crypto::hash_size(hash));
  return crypto::hash(
      hash, WireWriter().raw(start).u32(kPolicyOr).raw(policy_a(hash)).raw(policy_c(hash)).take());
}

Result<ByteVector> certificate_in_index(Bytes content) {
  // TCG PC Client Specific Implementation Specification 1.21, section 7.4.5:
  // TCG_TAG_PCCLIENT_STORED_CERT, TCG_FULL_CERT as type, size; then TCG_TAG_PCCLIENT_FULL_CERT.
  WireReader in(content, "certificate in a TPM");
  if (content.size() > 2 && content[0] == 0x10 && content[1] == 0x01) {
    TRY(in.u16("tag"));
    if (TRY(in.u8("kind")) != 0) return in.malformed("no whole certificate is stored");
    const std::uint16_t size = TRY(in.u16("size"));
    if (size < 2) return in.malformed("stored without a certificate");
    if (TRY(in.u16("inner tag")) != 0x1002) return in.malformed("another inner tag than 1002");
    content = TRY(in.raw(size - 2U, "stored certificate"));
  }
  return to_vector(content.first(TRY(der_size(content))));
}

Result<std::vector<ByteVector>> split_chain(Bytes content) {
  std::vector<ByteVector> out;
  while (!content.empty() && content[0] == 0x30) {
    if (out.size() == kMaxChainCount) {
      return Error(ErrorCode::kLimit, "more than " + std::to_string(kMaxChainCount) +
                                          " certificates are chained in the TPM");
    }
    const std::size_t size = TRY(der_size(content));
    out.push_back(to_vector(content.first(size)));
    content = content.subspan(size);
  }
  return out;
}

}  // namespace sealpack::tpm
