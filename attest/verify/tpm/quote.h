// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "attest/policy/claims.h"
#include "attest/verify/tpm/event_log.h"
#include "attest/verify/tpm/tpm_attest.h"
#include "attest/verify/tpm/tpm_public.h"
#include "attest/verify/verify.h"

// A quote, whoever vouches for the key that signed it: an enrolment, a certificate, or the report
// of the processor that a virtual TPM runs on.
namespace sealpack::attest {

// The items of evidence that carry a quote, parsed; nothing about them is proven.
struct QuoteItems {
  Bytes attest;  // the signed bytes
  TpmQuote quote;
  TpmSignature signature;
  std::vector<PcrValue> values;
  std::optional<EventLog> log;
};

inline constexpr std::string_view kQuoteItems[] = {"tpm-quote", "tpm-signature", "tpm-pcrs",
                                                   "event-log"};

// nullopt, and all reasons why, if one is missing or malformed.
std::optional<QuoteItems> parse_quote_items(const Evidence& evidence, std::vector<Reason>& reasons);

// Everything that must hold besides the trust in `key`: its signature, that the values are those
// and all those that were quoted, what was bound, and the replay of the log.
void check_quote(const QuoteItems& items, const crypto::DeviceKey& key, const VerifyInput& input,
                 std::vector<Reason>& reasons);

// What the quote says, after check_quote() had no objection: PCRs, selection, clock, log.
void add_quote_claims(const QuoteItems& items, Claims& claims);

}  // namespace sealpack::attest
