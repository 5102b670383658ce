// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/tpm/azure.h"

#include "attest/verify/items.h"

namespace sealpack::attest {

std::optional<AzureItems> parse_azure_items(const VerifyInput& input, HclReportType type,
                                            std::vector<Reason>& reasons) {
  const ByteVector* report = require_item(input.evidence, "hcl-report", reasons);
  auto hcl = report == nullptr ? std::nullopt : parse_hcl_item(*report, type, input.cache, reasons);
  auto quote = parse_quote_items(input.evidence, reasons);
  if (!hcl || !quote) return std::nullopt;
  return AzureItems{*std::move(hcl), *std::move(quote)};
}

void finish_azure(const AzureItems& items, Verdict hardware, const VerifyInput& input,
                  Verdict& verdict) {
  verdict.reasons.insert(verdict.reasons.end(), hardware.reasons.begin(), hardware.reasons.end());
  check_quote(items.quote, items.hcl.data.ak, input, verdict.reasons);
  if (!hardware.claims || !verdict.reasons.empty()) return;
  Claims claims = *std::move(hardware.claims);
  claims.tee = input.evidence.tee;
  const std::vector<Claim>& hcl = items.hcl.data.claims.claims;
  claims.claims.insert(claims.claims.end(), hcl.begin(), hcl.end());
  add_quote_claims(items.quote, claims);
  claims.sort();
  verdict.claims = std::move(claims);
}

}  // namespace sealpack::attest
