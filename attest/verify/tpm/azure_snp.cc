// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/items.h"
#include "attest/verify/tpm/azure.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kItems[] = {"certificates",  "hcl-report", "tpm-quote",
                                       "tpm-signature", "tpm-pcrs",   "event-log"};

constexpr std::size_t kReportDataAt = 0x50;  // of an ATTESTATION_REPORT
constexpr std::size_t kReportDataSize = 64;

// The report inside, proven like any other; what it is bound to is compared afterwards.
Verdict verify_report(const AzureItems& items, const VerifyInput& input) {
  Evidence inner{"sev-snp", {{"report", to_vector(items.hcl.report.hardware_report)}}};
  const ByteVector* certificates = input.evidence.find("certificates");
  if (certificates != nullptr) inner.items.push_back({"certificates", *certificates});
  return verify_snp({.evidence = inner,
                     .endorsements = input.endorsements,
                     .roots = input.roots,
                     .now = input.now,
                     .cache = input.cache});
}

// Azure's firmware runs at VMPL 0 and the guest above it: a report of a higher level is one that
// the guest asked for, with variable data of its own.
void check_level(const Claims& claims, std::vector<Reason>& reasons) {
  const Claim* vmpl = claims.find("vmpl");
  if (vmpl != nullptr && vmpl->value == ByteVector(8)) return;
  reasons.push_back({"azure.vmpl",
                     "the hardware report was not asked for by the firmware, which "
                     "runs at VMPL 0, but at " +
                         (vmpl == nullptr ? "an unknown level" : "VMPL " + to_hex(vmpl->value))});
}

}  // namespace

Verdict verify_azure_snp(const VerifyInput& input) {
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const auto items = parse_azure_items(input, HclReportType::kSevSnp, verdict.reasons);
  if (!items) return verdict;
  const HclReport& report = items->hcl.report;
  check_hcl_binding(report, report.hardware_report.subspan(kReportDataAt, kReportDataSize),
                    verdict.reasons);
  Verdict hardware = verify_report(*items, input);
  if (hardware.claims) check_level(*hardware.claims, verdict.reasons);
  finish_azure(*items, std::move(hardware), input, verdict);
  return verdict;
}

}  // namespace sealpack::attest
