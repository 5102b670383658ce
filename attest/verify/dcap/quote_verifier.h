// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/certified_key.h"
#include "attest/verify/dcap/tcb_status.h"
#include "attest/verify/verify.h"

namespace sealpack::attest::dcap {

// A quote that a genuine platform made, and what that platform is worth.
struct VerifiedQuote {
  Quote quote;  // views into the bytes it was parsed from
  PckExtension pck;
  TcbStatus status = TcbStatus::kRevoked;  // never kRevoked once verified
  std::uint64_t tcb_date = 0;              // the oldest of the levels that were met
  std::uint32_t evaluation = 0;            // the lower one of TCB info and QE identity
  std::vector<std::string> advisories;     // ascending, distinct
};

// Parses and proves a quote of `tee`: its signature, the quoting enclave, the platform's
// certificate, all of it against `input`'s endorsements, roots, time and minimum evaluation number.
// What the body says is for the caller to judge. nullopt with reasons.
std::optional<VerifiedQuote> verify_quote(Bytes bytes, Tee tee, const VerifyInput& input,
                                          std::vector<Reason>& reasons);

// The claims that quotes of SGX and TDX have in common.
void add_platform_claims(const VerifiedQuote& verified, Claims& claims);

}  // namespace sealpack::attest::dcap
