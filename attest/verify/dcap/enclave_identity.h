// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/dcap/tcb_info.h"

namespace sealpack::attest::dcap {

// Enclave Identity V2 (PCS API v4): what a quoting enclave by Intel looks like.
struct EnclaveIdentity {
  static constexpr std::string_view kName = "enclaveIdentity";

  DocumentHeader header;
  std::string id;  // "QE", "TD_QE" or "QVE"
  Array<4> misc_select{};
  Array<4> misc_select_mask{};
  Array<16> attributes{};
  Array<16> attributes_mask{};
  Array<32> mr_signer{};
  std::uint16_t isv_prod_id = 0;
  std::vector<IdentityLevel> levels;
};

// The inner value, whose signature holds. kMalformed. Members that are not known are passed over.
Result<EnclaveIdentity> parse_enclave_identity(Bytes json);

// Of quotes of this TEE: "QE" or "TD_QE".
std::string_view quoting_enclave(Tee tee);

}  // namespace sealpack::attest::dcap
