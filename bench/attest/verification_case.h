// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attest/verify/verify.h"
#include "bench/attest/bare_signature.h"

namespace sealpack::bench {

// What one environment sends again and again, with a fresh binding each time, so that nothing of it
// but its maker's certificates can be remembered; and what of it must be verified every time.
struct VerificationCase {
  struct Request {
    attest::Evidence evidence;
    ByteVector binding;  // VerifyInput::report_data
    std::vector<BareSignature> signatures;
  };

  std::string name;
  attest::Endorsements endorsements;
  attest::Roots roots;
  std::uint64_t now = 0;
  std::vector<Request> requests;
};

inline constexpr std::size_t kRequests = 8;

// Processors and TPMs: sev-snp, sgx, tdx, azure-sev-snp, azure-tdx, tpm.
std::vector<VerificationCase> platform_cases();
// What is signed as a token: nitro, psa, cca, nvidia-gpu, simulated.
std::vector<VerificationCase> token_cases();

// What a broker of many machines holds besides: the VCEKs of 200 other processors of AMD and the
// TCB infos of 50 other platforms of Intel. Found before those that are needed.
attest::Endorsements other_endorsements();
inline constexpr std::size_t kOtherVceks = 200;
inline constexpr std::size_t kOtherTcbInfos = 50;

}  // namespace sealpack::bench
