// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Endorsements out of JSON, as tools pass them on; nothing is proven:
//   {"tcbInfo": …, "signature": …}           TCB info as Intel's PCS and PCCS deliver it
//   {"enclaveIdentity": …, "signature": …}   identity of a quoting enclave, likewise
//   {"tcb_info": …, "qe_identity": …, …}     a whole set as dcap-qvl and Intel's quote provider
//                                            library have it: pck_crl_issuer_chain, root_ca_crl,
//                                            pck_crl, tcb_info_issuer_chain, tcb_info,
//                                            tcb_info_signature, qe_identity_issuer_chain,
//                                            qe_identity, qe_identity_signature and
//                                            pck_certificate_chain, each of them optional.
//                                            Chains are PEM; lists are hex of DER or PEM; documents
//                                            are text in a string, with the signature inside or
//                                            beside it
// What is signed keeps its bytes. kMalformed, also for other members; kLimit.
Result<Endorsements> parse_dcap_collateral(Bytes json);

}  // namespace sealpack::attest
