// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/report.h"
#include "attest/verify/verify.h"

// A report without reasons has the size and a version of those that exist; without a certificate
// nothing is ever accepted.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace attest = sealpack::attest;
  const sealpack::Bytes input(data, size);
  std::vector<sealpack::Reason> reasons;
  const auto report = attest::snp::parse_report(input, reasons);
  if (!report && reasons.empty()) __builtin_trap();
  if (report && (size != attest::snp::kReportSize || report->version < 2 || report->version > 5)) {
    __builtin_trap();
  }
  const attest::Evidence evidence{"sev-snp", {{"report", sealpack::to_vector(input)}}};
  const attest::Verdict verdict =
      attest::verify_snp({evidence, {}, attest::vendor_roots(), 1800000000});
  if (verdict.accepted() || verdict.claims || verdict.reasons.empty()) __builtin_trap();
  return 0;
}
