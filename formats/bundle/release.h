// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "formats/base/bytes.h"
#include "formats/bundle/limits.h"

namespace sealpack::bundle {

// What an environment must prove about one claim of its evidence. Exactly one of five forms is set:
// values (accepted, required or both), a minimum, a maximum, bits (required, allowed or both), or
// nothing for a stated reason.
struct ClaimRule {
  std::string claim;                 // "measurement", "debug", "firmware"; closed list per TEE
  std::vector<ByteVector> accepted;  // ascending, distinct
  std::uint64_t minimum = 0;
  std::string ignore_because;
  std::uint64_t maximum = 0;
  ByteVector require_bits = {};  // as long as the claim: these are set in it; empty: not stated
  ByteVector allow_bits = {};    // likewise: no others are
  // Of a claim that occurs several times: each of these occurs, and is accepted. Ascending,
  // distinct, none of `accepted`.
  std::vector<ByteVector> required = {};
  // How many of the five forms are set.
  int form_count() const {
    return int{!accepted.empty() || !required.empty()} + int{minimum != 0} + int{maximum != 0} +
           int{!require_bits.empty() || !allow_bits.empty()} + int{!ignore_because.empty()};
  }
  bool operator==(const ClaimRule&) const = default;
};

// One kind of environment that may open the bundle. A claim without a rule accepts nothing.
struct Environment {
  std::string tee;  // "sev-snp", "tdx", "sgx", "nitro", "psa", "cca", "tpm", "simulated" …
  std::vector<ClaimRule> rules;  // ascending by claim, distinct
  bool operator==(const Environment&) const = default;
};

// Who may open. Either any holder of a recipient key, anywhere, for a stated reason; or only the
// environments listed. Empty accepts nobody and is not a valid release.
struct MeasurementPolicy {
  std::string anyone_because;
  std::vector<Environment> environments;
  bool requires_attestation() const { return anyone_because.empty(); }
  bool operator==(const MeasurementPolicy&) const = default;
};

enum class AnswerForm : std::uint8_t { kScores = 1, kRounded = 2, kTop1 = 3 };

// What may leave the secure side.
struct AnswerRule {
  AnswerForm form = AnswerForm::kScores;
  std::uint32_t decimals = 0;      // of kRounded
  std::uint64_t query_budget = 0;  // answers per opening, 0 = not limited
  bool operator==(const AnswerRule&) const = default;
};

// The one direct slot a release with measurements may have.
struct Escrow {
  Digest key;  // SHA-256 of the recipient's SPKI
  std::string because;
  bool operator==(const Escrow&) const = default;
};

// The small signed statement that makes a bundle valid (FORMAT.md §6). Times are Unix seconds.
struct Release {
  Digest content_digest;
  std::uint64_t content_size = 0;
  Digest key_commitment;  // of the content key
  std::string product;
  std::string version;
  std::uint64_t counter = 0;     // at least 1; grows with every release of a product
  std::uint64_t not_before = 0;  // 0 = always
  std::uint64_t not_after = 0;   // 0 = never expires
  std::uint32_t min_loader = 1;
  MeasurementPolicy policy;
  AnswerRule answer;
  std::string licence;
  std::optional<Escrow> escrow;
  bool operator==(const Release&) const = default;
};

// Parses and checks the payload of a release envelope whose signatures were verified before.
// kMalformed, kLimit.
Result<Release> parse_release(Bytes payload);

}  // namespace sealpack::bundle
