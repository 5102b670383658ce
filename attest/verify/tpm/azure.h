// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/tpm: what Azure's two kinds of confidential VM have in common.

#include "attest/verify/tpm/hcl_report.h"
#include "attest/verify/tpm/quote.h"

namespace sealpack::attest {

// Both halves of the evidence: what the processor vouches for, and the quote of the virtual TPM.
struct AzureItems {
  HclItem hcl;
  QuoteItems quote;
};
std::optional<AzureItems> parse_azure_items(const VerifyInput& input, HclReportType type,
                                            std::vector<Reason>& reasons);

// Takes over the verdict about the hardware report, which the variable data were found to be bound
// to, and checks that the key among these signed the quote. `verdict` has all reasons up to now.
void finish_azure(const AzureItems& items, Verdict hardware, const VerifyInput& input,
                  Verdict& verdict);

}  // namespace sealpack::attest
