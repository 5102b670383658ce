// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "attest/verify/binding.h"
#include "attest/verify/dcap/quote_verifier.h"
#include "attest/verify/dcap/td_quote.h"
#include "attest/verify/items.h"

namespace sealpack::attest {
namespace {

// TDATTRIBUTES, "Intel TDX Module ABI Reference Specification" (348551). Bits 3:0 put the TD under
// debug, 6:4 under profiling by the host: neither keeps its secrets.
constexpr std::uint64_t bit(unsigned number) {
  return std::uint64_t{1} << number;
}
constexpr std::uint64_t kDebug = bit(0);
constexpr std::uint64_t kProfiling = bit(4) | bit(5) | bit(6);
constexpr std::uint64_t kIcssd = bit(16);
constexpr std::uint64_t kServtdExt = bit(17);
// Bits 22:18 are reserved for what can only make a TD safer, and need not be known.
constexpr std::uint64_t kReservedPositive = bit(18) | bit(19) | bit(20) | bit(21) | bit(22);
constexpr std::uint64_t kLass = bit(27);
constexpr std::uint64_t kSeptVeDisable = bit(28);
constexpr std::uint64_t kMigratable = bit(29);
constexpr std::uint64_t kPks = bit(30);
constexpr std::uint64_t kKl = bit(31);
constexpr std::uint64_t kTpa = bit(62);
constexpr std::uint64_t kPerfmon = bit(63);
constexpr std::uint64_t kKnown = kDebug | kProfiling | kIcssd | kServtdExt | kReservedPositive |
                                 kLass | kSeptVeDisable | kMigratable | kPks | kKl | kTpa |
                                 kPerfmon;

std::uint64_t attributes_of(const dcap::TdReport& report) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < report.td_attributes.size(); ++i) {
    value |= std::uint64_t{report.td_attributes[i]} << (8 * i);
  }
  return value;
}

void check_reserved(const dcap::TdReport& report, std::vector<Reason>& reasons) {
  if ((attributes_of(report) & ~kKnown) == 0) return;
  reasons.push_back({"tdx.reserved", "TD attributes " + to_hex(report.td_attributes) +
                                         " have bits that are not known"});
}

// MRTD and the RTMRs are the TD's: of an L2 VM inside a partitioned TD nothing is measured, and who
// asks from one is not what the measurements say.
void check_vm(const dcap::TdReport& report, std::vector<Reason>& reasons) {
  if (!report.extension || report.extension->vm_id == 0) return;
  reasons.push_back({"tdx.l2-vm", "the report is of L2 VM " +
                                      std::to_string(report.extension->vm_id) +
                                      " in a partitioned TD, which no measurement is about"});
}

// The module's version, then its security version. Of a TD that came from elsewhere the lower one
// of where it began and where it runs: what is broken at the start stays broken.
std::uint64_t tee_tcb_svn_of(const dcap::TdReport& report) {
  const auto number = [](const dcap::Array<16>& svn) { return 256U * svn[1] + svn[0]; };
  const std::uint64_t runs = number(report.tee_tcb_svn);
  if (!report.extension || report.extension->initial_tee_tcb_svn == dcap::Array<16>{}) return runs;
  return std::min<std::uint64_t>(runs, number(report.extension->initial_tee_tcb_svn));
}

// Each service TD that was bound when the TD was made or is now: with the extension MRSERVICETD may
// be that of the start alone, and one that was bound since can do as much to the TD.
void add_service_tds(const dcap::TdReport& report, Claims& claims) {
  if (!report.added) return;
  std::set<dcap::Array<48>> hashes{report.added->mr_service_td};
  if (report.extension) {
    hashes.insert(report.extension->initial_service_td);
    hashes.insert(report.extension->current_service_td);
  }
  for (const auto& hash : hashes) claims.add_bytes("mr_servicetd", hash);
  if (hashes != std::set{dcap::Array<48>{}}) claims.add_flag("service_td", true);
}

Claims claims_of(const dcap::VerifiedQuote& verified) {
  const dcap::TdReport& report = *verified.quote.td;
  const std::uint64_t attributes = attributes_of(report);
  Claims claims;
  claims.tee = "tdx";
  claims.report_data = to_vector(report.report_data);
  claims.add_flag("debug", (attributes & (kDebug | kProfiling)) != 0);
  claims.add_flag("migratable", (attributes & kMigratable) != 0);
  add_service_tds(report, claims);
  claims.add_bytes("mrconfigid", report.mr_config_id);
  claims.add_bytes("mrowner", report.mr_owner);
  claims.add_bytes("mrownerconfig", report.mr_owner_config);
  claims.add_bytes("mrseam", report.mr_seam);
  claims.add_bytes("mrsignerseam", report.mr_signer_seam);
  claims.add_bytes("mrtd", report.mr_td);
  claims.add_flag("perfmon", (attributes & kPerfmon) != 0);
  for (std::size_t i = 0; i < report.rtmr.size(); ++i) {
    claims.add_bytes("rtmr" + std::to_string(i), report.rtmr[i]);
  }
  claims.add_flag("sept_ve_disable", (attributes & kSeptVeDisable) != 0);
  claims.add_bytes("td_attributes", report.td_attributes);
  claims.add_number("tee_tcb_svn", tee_tcb_svn_of(report));
  claims.add_bytes("xfam", report.xfam);
  dcap::add_platform_claims(verified, claims);
  claims.sort();
  return claims;
}

}  // namespace

Verdict verify_tdx_quote(Bytes quote, const VerifyInput& input) {
  Verdict verdict;
  const auto verified = dcap::verify_quote(quote, dcap::Tee::kTdx, input, verdict.reasons);
  if (!verified) return verdict;
  check_reserved(*verified->quote.td, verdict.reasons);
  check_vm(*verified->quote.td, verdict.reasons);
  if (verdict.reasons.empty()) verdict.claims = claims_of(*verified);
  return verdict;
}

Verdict verify_tdx(const VerifyInput& input) {
  static constexpr std::string_view kItems[] = {"quote", "event-log"};
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const ByteVector* quote = require_item(input.evidence, "quote", verdict.reasons);
  if (quote == nullptr) return verdict;
  Verdict proven = verify_tdx_quote(*quote, input);
  verdict.reasons.insert(verdict.reasons.end(), proven.reasons.begin(), proven.reasons.end());
  if (!proven.claims) return verdict;
  check_binding(input.report_data, proven.claims->report_data, "dcap.report-data", "report data",
                verdict.reasons);
  if (verdict.reasons.empty()) verdict.claims = std::move(proven.claims);
  return verdict;
}

}  // namespace sealpack::attest
