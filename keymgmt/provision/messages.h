// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keymgmt/crypto/signature.h"
#include "keymgmt/tpm/counter_proof.h"
#include "keymgmt/tpm/endorsement.h"
#include "keymgmt/tpm/policy_digest.h"
#include "keymgmt/tpm/protect.h"
#include "runtime-loader/core/counter_store.h"

// What a vendor and a device with a TPM send one another, as files (docs/PROVISIONING.md gives the
// bytes). The canonical protobuf subset of FORMAT.md §2; all parsers are strict: kMalformed,
// kUnsupported for another version, kLimit.
namespace sealpack::provision {

inline constexpr std::uint64_t kMaxMessageSize = 64U << 10U;
inline constexpr std::size_t kMaxEnvironments = 16;
inline constexpr std::size_t kMaxFloors = 64;
inline constexpr std::size_t kMaxProductSize = 256;

// Two counters of the TPM. The first holds in its upper 7 bytes the epoch that a key is bound to,
// in its lowest byte the number of the oldest boot policy that is still accepted, plus kNumberBase.
// The second counts how often the floors of bundles were raised.
struct Counters {
  std::uint32_t policy_index = 0x01805ea1;
  std::uint32_t floor_index = 0x01805ea2;
  std::uint64_t policy_value = 0;
  std::uint64_t floor_value = 0;
  bool operator==(const Counters&) const = default;
};
// A counter starts at 1 in a new TPM, not at 0: the first values mean that nothing was confirmed.
inline constexpr std::uint8_t kNumberBase = 15;
inline constexpr std::uint32_t kMaxPolicyNumber = 255 - kNumberBase;

// Device to vendor. Nothing in it is believed that the answer is not encrypted to, or that the key
// which the answer is encrypted to does not prove.
struct EnrolRequest {
  tpm::EndorsementKind kind{};
  tpm::PublicArea endorsement;
  ByteVector endorsement_certificate;  // DER; empty where the TPM has none
  tpm::PublicArea attestation;
  Counters counters;
  std::string manufacturer;
  std::uint64_t firmware = 0;
  std::vector<ByteVector> chain;  // DER; certificates between the TPM's and its maker's root
  // By the attestation key. If that is not one of the TPM's, neither is the answer of use.
  tpm::CounterProof policy_proof;
  tpm::CounterProof floor_proof;
  bool operator==(const EnrolRequest&) const = default;
};

// What somebody with a signing key of role grantor says. Verified, then parsed, from these bytes.
struct SignedStatement {
  ByteVector payload;
  ByteVector key;        // SPKI
  ByteVector signature;  // over DSSE's PAE of the payload with its type
  bool operator==(const SignedStatement&) const = default;
};
ByteVector serialize_signed(const SignedStatement& statement);
Result<SignedStatement> parse_signed(Bytes bytes);

inline constexpr std::string_view kAnswerType = "application/vnd.sealpack.tpm-enrolment.v1";
inline constexpr std::string_view kBootPolicyType = "application/vnd.sealpack.tpm-boot-policy.v1";
inline constexpr std::string_view kFloorType = "application/vnd.sealpack.tpm-floor.v1";

Result<SignedStatement> sign_statement(std::string_view type, ByteVector payload,
                                       const crypto::Signer& signer);
// The payload, if the statement is by this key. kNotAuthentic.
Result<Bytes> verify_statement(std::string_view type, const SignedStatement& statement,
                               const crypto::VerifyingKey& key);

// For whom keys are released and bundles have floors.
struct Scope {
  Digest authority;
  std::string product;
  bool operator==(const Scope&) const = default;
};
// policyRef of TPM2_PolicyAuthorize: what the grantor's approvals are for. A key takes none that
// would cap another PCR than its own, which would let it be used once for each.
ByteVector policy_reference(const Scope& scope, std::uint32_t cap_pcr);

// Lowest releases that a device still accepts, valid while the TPM's floor counter has this value
// and its policy counter is in this epoch.
struct FloorTable {
  tpm::Name device;  // of the endorsement key
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  // Of the attestation key that proved the value: it must be in the same TPM.
  tpm::Name attestation;
  std::uint64_t epoch = 0;
  struct Entry {
    Scope scope;
    loader::Floor floor;
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;  // ascending by authority, then product
  bool operator==(const FloorTable&) const = default;
};
ByteVector serialize_floors(const FloorTable& table);
Result<FloorTable> parse_floors(Bytes bytes);

// Vendor to device: the key, its policy and the first floors. Payload of kAnswerType.
struct EnrolAnswer {
  tpm::Name device;
  tpm::Name attestation;
  tpm::Credential credential;  // its secret gives the inner key of `key`, and proves the device
  tpm::Duplicate key;
  ByteVector recipient;  // SPKI, role device
  Scope scope;
  Counters counters;
  SignedStatement floors;
  // Boot policies of a lower number are never accepted with this key: in a new epoch the numbers
  // that were confirmed in the one before would count for nothing otherwise. 0: all are.
  std::uint32_t minimum = 0;
  std::uint32_t cap_pcr = 15;
  bool operator==(const EnrolAnswer&) const = default;
};

// Device to vendor: HMAC of what only this TPM could learn.
struct EnrolProof {
  tpm::Name device;
  tpm::Name attestation;
  Digest proof;
  bool operator==(const EnrolProof&) const = default;
};
// What the vendor keeps until the proof comes, and afterwards as the record of the device.
struct EnrolRecord {
  tpm::Name device;
  tpm::PublicArea attestation;
  Digest recipient;  // of the SPKI
  Scope scope;
  Digest proof;
  bool operator==(const EnrolRecord&) const = default;
};

// Payload of kBootPolicyType: the machines that may use the key, by what was measured when they
// booted.
struct BootPolicy {
  Scope scope;
  std::uint32_t number = 0;  // 1 to kMaxPolicyNumber; devices that confirmed a higher one refuse it
  std::uint32_t policy_index = 0;
  std::uint32_t cap_pcr = 15;
  struct Environment {
    tpm::PcrMask pcrs = 0;       // has the cap PCR
    std::vector<Digest> values;  // ascending by PCR; that of the cap PCR is zero
    ByteVector approval;         // r || s, for the TPM
    bool operator==(const Environment&) const = default;
  };
  std::vector<Environment> environments;
  bool operator==(const BootPolicy&) const = default;
};

ByteVector serialize(const EnrolRequest& message);
ByteVector serialize(const EnrolAnswer& message);
ByteVector serialize(const EnrolProof& message);
ByteVector serialize(const EnrolRecord& message);
ByteVector serialize(const BootPolicy& message);
Result<EnrolRequest> parse_request(Bytes bytes);
Result<EnrolAnswer> parse_answer(Bytes bytes);
Result<EnrolProof> parse_proof(Bytes bytes);
Result<EnrolRecord> parse_record(Bytes bytes);
Result<BootPolicy> parse_boot_policy(Bytes bytes);

}  // namespace sealpack::provision
