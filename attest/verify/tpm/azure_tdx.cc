// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "attest/verify/dcap/td_quote.h"
#include "attest/verify/items.h"
#include "attest/verify/tpm/azure.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kItems[] = {"quote",         "hcl-report", "tpm-quote",
                                       "tpm-signature", "tpm-pcrs",   "event-log"};
// TDREPORT_STRUCT (Intel TDX Module ABI 348551): its REPORTMACSTRUCT has the report data. The rest
// of the 1184 bytes is padding.
constexpr std::size_t kReportDataAt = 128;
constexpr std::size_t kReportDataSize = 64;
constexpr std::size_t kTdReportSize = 1024;

// The TDREPORT itself proves nothing outside its processor: the quote was made of it. The variable
// data are bound to the one, and both must speak of the same.
void check_td_report(const HclReport& hcl, const std::optional<Claims>& quoted,
                     std::vector<Reason>& reasons) {
  const Bytes padding = hcl.hardware_report.subspan(kTdReportSize);
  if (!std::all_of(padding.begin(), padding.end(), [](auto byte) { return byte == 0; })) {
    reasons.push_back({"azure.td-report", "bytes behind the TDREPORT"});
  }
  const Bytes report_data = hcl.hardware_report.subspan(kReportDataAt, kReportDataSize);
  check_hcl_binding(hcl, report_data, reasons);
  if (!quoted) return;
  if (!std::equal(report_data.begin(), report_data.end(), quoted->report_data.begin(),
                  quoted->report_data.end())) {
    reasons.push_back({"azure.td-report", "the TDREPORT is bound to " + to_hex(report_data) +
                                              ", its quote to " + to_hex(quoted->report_data)});
  }
}

}  // namespace

Verdict verify_azure_tdx(const VerifyInput& input) {
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const ByteVector* quote = require_item(input.evidence, "quote", verdict.reasons);
  const auto items = parse_azure_items(input, HclReportType::kTdx, verdict.reasons);
  if (!items || quote == nullptr) return verdict;
  Verdict hardware = verify_tdx_quote(*quote, input);
  check_td_report(items->hcl.report, hardware.claims, verdict.reasons);
  finish_azure(*items, std::move(hardware), input, verdict);
  return verdict;
}

}  // namespace sealpack::attest
