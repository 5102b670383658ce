// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "formats/bundle/release.h"

namespace sealpack::policy {

// A policy as people write it (TOML, closed schema):
//
//   [anyone]                              either this: no attestation
//   because = "the appliance has no TEE"
//
//   [[environment]]                       or one or more of these: default deny
//   tee = "sev-snp"
//   [environment.claims]
//   measurement = { accept = ["9f2c…"] }  hex, texts, numbers or true/false, by the kind of claim
//   debug = { accept = [false] }
//   tcb_snp = { minimum = 21 }            at least 1; { maximum = 300 } likewise
//   mitigations = { require_bits = "…", allow_bits = "…" }   of masks of bits: one or both, in hex
//   host_data = { ignore = "nothing is configured at launch" }
//
// Of a claim that occurs several times `accept` lists what may occur; `require` what has to, and
// may. Nothing else is accepted there: { require = ["…"], accept = ["…"] }, one or both.
//
//   [answer]                              what may leave the secure side
//   form = "rounded"                      "scores", "rounded" or "top-1"
//   decimals = 2                          of "rounded" alone, 0 to 9
//   query_budget = 100000                 answers per opening; absent: not limited
//
// claim_names.h lists the claims of each TEE and which of them every policy must mention.
inline constexpr std::size_t kMaxEnvironments = 64;
inline constexpr std::size_t kMaxAccepted = 1024;
inline constexpr std::uint32_t kMaxDecimals = 9;

struct PolicyFile {
  bundle::MeasurementPolicy policy;
  std::optional<bundle::AnswerRule> answer;
  bool operator==(const PolicyFile&) const = default;
};

// `name` stands for the file in messages. kMalformed with line and column for anything that the
// schema does not know; kUsage for a policy that accepts nobody, and for mandatory claims that no
// rule mentions (all are named); kLimit. What is returned keeps the ordering rules of release.h.
Result<PolicyFile> parse_policy(std::string_view text, const std::string& name);
Result<PolicyFile> load_policy(const std::filesystem::path& path);

// Text that parse_policy turns into the same value. `file` must pass check_policy.
std::string serialize_policy(const PolicyFile& file);

// The same rules for a policy that comes from a release: known TEEs, claims and values, every
// mandatory claim mentioned, order kept. kRefused.
Status check_policy(const bundle::MeasurementPolicy& policy);

// Who may open, in lines for people; of a policy that was not checked, too.
std::vector<std::string> explain(const bundle::MeasurementPolicy& policy);
std::string explain(const bundle::AnswerRule& answer);

}  // namespace sealpack::policy
