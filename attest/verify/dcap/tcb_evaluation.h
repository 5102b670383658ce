// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/enclave_identity.h"
#include "attest/verify/dcap/pck_certificate.h"
#include "formats/base/reason.h"

// What a platform is worth by Intel's statements about it: steps 4.1.2.4.9 to 4.1.2.4.17 of Intel's
// quote verification library.
namespace sealpack::attest::dcap {

struct TcbEvaluation {
  TcbStatus status = TcbStatus::kRevoked;
  std::uint64_t date = 0;               // the oldest of the levels that were met
  std::vector<std::string> advisories;  // of all of them; ascending, distinct
};

// That the enclave is the one of the identity; its level. nullptr with reasons
// "dcap.qe-identity-mismatch", "dcap.qe-level".
const IdentityLevel* match_identity(const SgxReport& qe, const EnclaveIdentity& identity,
                                    std::vector<Reason>& reasons);

// `td` is nullptr for SGX. nullopt with reasons "dcap.tcb-level", "dcap.tcb-revoked",
// "tdx.module", "tdx.module-level".
std::optional<TcbEvaluation> evaluate_tcb(const TcbInfo& info, const PckExtension& pck,
                                          const TdReport* td, const IdentityLevel& qe,
                                          std::vector<Reason>& reasons);

}  // namespace sealpack::attest::dcap
