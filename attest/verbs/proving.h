// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/judge.h"
#include "attest/policy/policy_file.h"
#include "attest/verify/verify.h"
#include "formats/bundle/release.h"
#include "formats/cli/json_output.h"
#include "formats/cli/verb.h"

// From files to a verdict: what the verbs that prove evidence share.
namespace sealpack::attest {

struct ProvingOptions {
  std::string evidence;                   // file or folder
  std::vector<std::string> items;         // KIND=FILE
  std::vector<std::string> endorsements;  // files and folders
  std::string roots;                      // file; empty: the manufacturers'
  std::string now;                        // empty: the host's clock
  std::string report_data;                // hex; empty: not compared
  std::string gpu_nonce;                  // likewise
  std::uint32_t minimum_tcb_evaluation = 0;
  bool lab = false;
};
// Whether anything of it is about proving: `attest show` proves nothing without.
bool asks_for_proof(const ProvingOptions& options);
// All but the evidence: --item, --endorsements, --roots, --now, --report-data, --gpu-nonce,
// --min-tcb-evaluation, --lab.
void add_proving_options(CLI::App& verb, ProvingOptions& options);
void add_evidence_argument(CLI::App& verb, ProvingOptions& options);

// Of an option that takes hex. kUsage.
Result<ByteVector> hex_argument(const std::string& text, const std::string& option);

// RFC 3339 or Unix seconds; the host's clock for nothing.
Result<std::uint64_t> time_to_judge_by(const std::string& text);

// What is proven, and by when.
struct Proof {
  Evidence evidence;
  Verdict verdict;
  std::uint64_t now = 0;
  bool compared_report_data = false;
};

// The evidence with its items, and what came along with it.
Result<Evidence> load_evidence_of(const ProvingOptions& options, Endorsements& beside);
// kMalformed, kIo, kUsage for what cannot be read. That evidence is not genuine is in the verdict.
Result<Proof> prove(const ProvingOptions& options);

// The error for evidence that is not genuine, its reasons given to the terminal: kMalformed if one
// of them says that it breaks the rules of its format (attest/verify/malformed.h), kNotAuthentic
// otherwise.
Error not_genuine(const Proof& proof, cli::Terminal& terminal);

// The help's footer of `attest verify` and `policy test`; `refused` is what 13 says.
std::string judging_footer(const std::string& example, const char* refused);

// Of `attest verify` and `policy test`. kUsage, too, for what is wrong with the file: 10 is about
// evidence there.
Result<policy::PolicyFile> load_policy_to_apply(const std::string& path);

// SIMULATED evidence counts only where the caller said --lab. Reasons for the policy's refusal.
policy::Judgement judge_proof(const Proof& proof, const bundle::MeasurementPolicy& policy,
                              bool lab);

// Claims as lines "name  value", sets a line each.
void print_claims(const Claims& claims, std::ostream& out);
// {"name": value}: hex, booleans, numbers and texts; a list for a set.
cli::Json claims_json(const Claims& claims);

}  // namespace sealpack::attest
