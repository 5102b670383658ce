// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/simulated.h"

#include <algorithm>

#include "attest/verify/binding.h"
#include "attest/verify/items.h"
#include "attest/verify/verify.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::attest {
namespace {

// Whose signature it is, if it is one; adds why not otherwise.
std::optional<Digest> root_of(const SimulatedReport& report, const Roots& roots,
                              std::vector<Reason>& reasons) {
  const auto key = crypto::VerifyingKey::from_spki(report.root_spki);
  if (!key.ok()) {
    reasons.push_back({"simulated.root", key.error().message()});
    return std::nullopt;
  }
  const Digest& root = key->digest();
  if (std::find(roots.simulated.begin(), roots.simulated.end(), root) == roots.simulated.end()) {
    reasons.push_back({"simulated.root", "the root " + to_hex(root.bytes) +
                                             " is not one of a laboratory that is trusted here"});
  }
  if (!key->verify(simulated_transcript(report), report.signature).ok()) {
    reasons.push_back({"simulated.signature", "the signature is not by the root it names"});
  }
  return root;
}

}  // namespace

Verdict verify_simulated(const VerifyInput& input) {
  Verdict verdict;
  const ByteVector* bytes = require_item(input.evidence, "report", verdict.reasons);
  static constexpr std::string_view kItems[] = {"report"};
  check_items(input.evidence, kItems, verdict.reasons);
  if (bytes == nullptr) return verdict;
  const auto report = parse_simulated_report(*bytes);
  if (!report.ok()) {
    verdict.reasons.push_back({"simulated.report", report.error().message()});
    return verdict;
  }
  const auto root = root_of(*report, input.roots, verdict.reasons);
  check_binding(input.report_data, report->report_data, "simulated.report-data", "report data",
                verdict.reasons);
  if (!root || !verdict.reasons.empty()) return verdict;
  Claims claims{"simulated", {}, report->report_data};
  claims.add_bytes("measurement", report->measurement.bytes);
  claims.add_bytes("root", root->bytes);
  claims.sort();
  verdict.claims = std::move(claims);
  return verdict;
}

}  // namespace sealpack::attest
