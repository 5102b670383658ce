// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "keymgmt/tpm/public_area.h"

namespace sealpack::tpm {

// PCRs of the SHA-256 bank: PCR n is bit n; 0 to 23.
using PcrMask = std::uint32_t;
inline constexpr unsigned kPcrCount = 24;
// PCRs that nothing but a restart sets back, and that are zero then: 16 and 23 can be reset by
// anybody, 17 to 22 by a dynamic launch.
inline constexpr PcrMask kCapPcrs = 0xfffe;
constexpr bool may_cap(std::uint32_t pcr) {
  return pcr < kPcrCount && (kCapPcrs >> pcr & 1U) != 0;
}

struct PcrValue {
  unsigned index = 0;
  Digest value;  // SHA-256 bank
  bool operator==(const PcrValue&) const = default;
};
// SHA-256 over the values, as quotes and PolicyPCR have it.
Digest digest_of(const std::vector<PcrValue>& values);

// TPML_PCR_SELECTION for them.
ByteVector serialize_selection(PcrMask mask);

// A policy digest, computed as a TPM extends it (Part 3, the commands of the same names). Steps in
// the order in which the TPM is to execute them.
class PolicyDigest {
 public:
  const Digest& value() const { return value_; }

  // `digest`: SHA-256 over the values of the PCRs, ascending.
  PolicyDigest& pcr(PcrMask mask, const Digest& digest);
  // The bytes from `offset` of what the index holds are, as an unsigned number, equal to `operand`,
  // not below or not above it.
  enum class Compare : std::uint16_t { kEqual = 0x0000, kNotBelow = 0x0007, kNotAbove = 0x0009 };
  PolicyDigest& nv(const Name& index, Bytes operand, std::uint16_t offset, Compare compare);
  // Whatever a signature under the key approves, with `reference`; forgets the steps before, which
  // the signature is about.
  PolicyDigest& authorize(const Name& key, Bytes reference);
  enum class Command : std::uint32_t { kUnseal = 0x15e, kEcdhZGen = 0x154 };
  PolicyDigest& command(Command command);

 private:
  void extend(std::uint32_t code, Bytes arguments);
  Digest value_;
};

// The steps by which a policy session reaches an object's policy: those that a key approved, then
// those of the object itself.
struct PolicyRun {
  struct NvStep {
    std::uint32_t index = 0;
    ByteVector operand;
    std::uint16_t offset = 0;
    PolicyDigest::Compare compare{};
  };
  PcrMask pcrs = 0;
  std::optional<NvStep> approved_nv;
  Digest approved;  // what the signature is about
  ByteVector key;   // SPKI of the P-256 key that signed
  ByteVector reference;
  ByteVector signature;  // r || s over SHA-256(approved || reference)
  std::vector<NvStep> own_nv;
  PolicyDigest::Command command{};
};

}  // namespace sealpack::tpm
