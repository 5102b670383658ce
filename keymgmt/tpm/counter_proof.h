// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/tpm/public_area.h"

namespace sealpack::tpm {

// The TPM's own word for the value of a counter (TPM2_NV_Certify), signed by its attestation key.
struct CounterProof {
  ByteVector attest;     // TPMS_ATTEST
  ByteVector signature;  // TPMT_SIGNATURE
  bool operator==(const CounterProof&) const = default;
};
// What it is over besides: that it was made for this, and not for somebody else's protocol.
Digest counter_proof_context();

// The value. kNotAuthentic unless the key states it of this very index; kMalformed. An old proof
// has an old value: counters do not go back.
Result<std::uint64_t> verify_counter_proof(const PublicArea& attestation, std::uint32_t index,
                                           const CounterProof& proof);

}  // namespace sealpack::tpm
