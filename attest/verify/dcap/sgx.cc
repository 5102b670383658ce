// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/binding.h"
#include "attest/verify/dcap/quote_verifier.h"
#include "attest/verify/items.h"

namespace sealpack::attest {
namespace {

// Flags of ATTRIBUTES (SDM volume 3D, table "Layout of ATTRIBUTES Structure"): INIT, DEBUG,
// MODE64BIT, PROVISIONKEY, EINITTOKEN_KEY, CET, KSS, AEXNOTIFY.
constexpr dcap::Array<8> kKnownFlags{0xf7, 0x04, 0, 0, 0, 0, 0, 0};
constexpr std::uint8_t kProvisionKey = 0x10;
// MISCSELECT: EXINFO, CPINFO.
constexpr dcap::Array<4> kKnownMiscSelect{0x03, 0, 0, 0};

template <std::size_t N>
bool within(std::span<const std::uint8_t> value, const dcap::Array<N>& known) {
  for (std::size_t i = 0; i < N; ++i) {
    if ((value[i] & ~known[i] & 0xff) != 0) return false;
  }
  return true;
}

void check_reserved(const dcap::SgxReport& report, std::vector<Reason>& reasons) {
  if (!within(report.attributes, kKnownFlags)) {
    reasons.push_back({"sgx.reserved", "attributes " + to_hex(report.attributes) +
                                           " have flags that are not known"});
  }
  if (!within(report.misc_select, kKnownMiscSelect)) {
    reasons.push_back({"sgx.reserved", "MISCSELECT " + to_hex(report.misc_select) +
                                           " has bits that are not known"});
  }
  if (!report.reserved_is_zero) {
    reasons.push_back({"sgx.reserved", "reserved bytes of the enclave's report are not zero"});
  }
}

Claims claims_of(const dcap::VerifiedQuote& verified) {
  const dcap::SgxReport& report = *verified.quote.sgx;
  Claims claims;
  claims.tee = "sgx";
  claims.report_data = to_vector(report.report_data);
  claims.add_bytes("attributes", report.attributes);
  claims.add_bytes("config_id", report.config_id);
  claims.add_number("config_svn", report.config_svn);
  claims.add_flag("debug", report.debug());
  claims.add_bytes("isv_ext_prod_id", report.isv_ext_prod_id);
  claims.add_bytes("isv_family_id", report.isv_family_id);
  claims.add_number("isv_prod_id", report.isv_prod_id);
  claims.add_number("isv_svn", report.isv_svn);
  claims.add_bytes("mrenclave", report.mrenclave);
  claims.add_bytes("mrsigner", report.mrsigner);
  claims.add_flag("provision_key", (report.attributes[0] & kProvisionKey) != 0);
  dcap::add_platform_claims(verified, claims);
  claims.sort();
  return claims;
}

}  // namespace

Verdict verify_sgx(const VerifyInput& input) {
  static constexpr std::string_view kItems[] = {"quote"};
  Verdict verdict;
  check_items(input.evidence, kItems, verdict.reasons);
  const ByteVector* quote = require_item(input.evidence, "quote", verdict.reasons);
  if (quote == nullptr) return verdict;
  const auto verified = dcap::verify_quote(*quote, dcap::Tee::kSgx, input, verdict.reasons);
  if (!verified) return verdict;
  const dcap::SgxReport& report = *verified->quote.sgx;
  check_reserved(report, verdict.reasons);
  check_binding(input.report_data, report.report_data, "dcap.report-data", "report data",
                verdict.reasons);
  if (verdict.reasons.empty()) verdict.claims = claims_of(*verified);
  return verdict;
}

}  // namespace sealpack::attest
