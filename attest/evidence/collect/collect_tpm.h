// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "attest/evidence/evidence.h"
#include "keymgmt/tpm/policy_digest.h"

namespace sealpack::attest {

struct CollectTpmRequest {
  ByteVector nonce;       // 1 to 64 bytes: what the quote is over
  std::string tcti;       // of tpm2-tss; empty: device:/dev/tpmrm0
  tpm::PcrMask pcrs = 0;  // of the SHA-256 bank
  // The log of the firmware, usually /sys/kernel/security/tpm0/binary_bios_measurements; empty:
  // none.
  std::filesystem::path event_log;
};

// A quote by the TPM's attestation key, the values that it covers, the key, and the log. kUsage;
// errors of the TPM.
Result<Evidence> collect_tpm(const CollectTpmRequest& request);

}  // namespace sealpack::attest
