// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "attest/verify/dcap/collateral_file.h"
#include "keymgmt/x509/certificate.h"

// Real quotes and collateral, read in place from SEALPACK_VECTORS.
namespace sealpack::attest::dcap {

inline std::string sample_path(const std::string& name) {
  return std::string(SEALPACK_VECTORS) + "/attest/" + name;
}

inline ByteVector read_sample(const std::string& name) {
  std::ifstream file(sample_path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline bool have_samples() {
  return !read_sample("tdx/phala-tdx_quote").empty();
}

#define SKIP_WITHOUT_SAMPLES() \
  if (!have_samples()) GTEST_SKIP() << "no samples in " << SEALPACK_VECTORS << "/attest"

inline Endorsements collateral_sample(const std::string& name) {
  return parse_dcap_collateral(read_sample(name)).value();
}

// Separate documents of March 2026, for FMSPC 90c06f000000 of TDX.
inline Endorsements documents_sample() {
  Endorsements out;
  for (const char* name :
       {"tdx/ars-tcb_signing_chain.pem", "tdx/ars-qe_identity_signing_chain.pem"}) {
    const auto chain = x509::Certificate::parse_pem(read_sample(name)).value();
    for (const x509::Certificate& certificate : chain) {
      out.certificates.push_back(to_vector(certificate.der()));
    }
  }
  out.revocation_lists = {read_sample("tdx/ars-root_ca_crl.der"),
                          read_sample("tdx/ars-pck_crl_platform.der")};
  out.tcb_infos = {read_sample("tdx/ars-tcb_info_90c06f000000.json")};
  out.enclave_identities = {read_sample("tdx/ars-td_qe_identity.json")};
  return out;
}

}  // namespace sealpack::attest::dcap
