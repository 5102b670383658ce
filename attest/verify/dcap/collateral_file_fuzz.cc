// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/collateral_file.h"
#include "attest/verify/dcap/enclave_identity.h"

// Documents that come out can be split, and are read as the same files again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest;
  const auto endorsements = parse_dcap_collateral(sealpack::Bytes(data, size));
  if (!endorsements.ok()) return 0;
  for (const auto& document : endorsements->tcb_infos) {
    if (!dcap::split_document(document, dcap::TcbInfo::kName).ok()) __builtin_trap();
    if (parse_dcap_collateral(document)->tcb_infos.at(0) != document) __builtin_trap();
  }
  for (const auto& document : endorsements->enclave_identities) {
    if (!dcap::split_document(document, dcap::EnclaveIdentity::kName).ok()) __builtin_trap();
  }
  return 0;
}
