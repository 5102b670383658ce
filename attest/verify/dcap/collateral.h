// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>

#include "attest/verify/dcap/enclave_identity.h"
#include "attest/verify/verify.h"
#include "keymgmt/x509/certificate.h"

// Intel's signed statements about platforms, out of what the caller supplies as endorsements.
namespace sealpack::attest::dcap {

inline constexpr std::string_view kTcbSigningName = "Intel SGX TCB Signing";

// A certificate for signing documents, and those that may be part of its chain: no others, for a
// chain is remembered by what could be part of it.
struct Signer {
  x509::Certificate certificate;
  std::vector<x509::Certificate> issuers;
};

// A document whose signature holds under the keys of these certificates. Whether one of them is
// Intel's, and whether the document is current, is for choose_… to find out.
template <typename Document>
struct SignedBy {
  Document document;
  std::vector<std::shared_ptr<const Signer>> signers;
};

// All of an Endorsements that concerns DCAP, read once. Nothing here depends on time or roots.
struct Collateral {
  static constexpr std::array kReadFrom{&Endorsements::certificates, &Endorsements::tcb_infos,
                                        &Endorsements::enclave_identities};
  std::vector<x509::Certificate> certificates;
  std::vector<SignedBy<TcbInfo>> tcb_infos;
  std::vector<SignedBy<EnclaveIdentity>> identities;
  // Why others were left out; given where no document is left that serves.
  std::vector<Reason> unread_certificates;
  std::vector<Reason> unread_tcb_infos;
  std::vector<Reason> unread_identities;
};
// Reads nothing whose signature does not hold: a document without a certificate named
// kTcbSigningName that signs it is left out.
Collateral read_collateral(const Endorsements& endorsements);

// What quotes are judged by, valid at input.now and not below input.minimum_tcb_evaluation: of
// several documents that are about the same, that with the highest evaluation number, of these the
// one that was issued last. nullptr with reasons "dcap.tcb-info-…", "dcap.qe-identity-…" and
// "chain.…".
const TcbInfo* choose_tcb_info(const Collateral& collateral, Tee tee, const Array<6>& fmspc,
                               const Array<2>& pce_id, const VerifyInput& input,
                               std::vector<Reason>& reasons);
const EnclaveIdentity* choose_identity(const Collateral& collateral, Tee tee,
                                       const VerifyInput& input, std::vector<Reason>& reasons);

}  // namespace sealpack::attest::dcap
