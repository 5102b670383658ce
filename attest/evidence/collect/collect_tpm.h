// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>

#include "attest/evidence/evidence.h"
#include "keymgmt/tpm/tpm.h"

namespace sealpack::attest {

struct CollectTpmRequest {
  ByteVector nonce;       // 1 to 64 bytes: what the quote is over
  std::string tcti;       // of tpm2-tss; empty: device:/dev/tpmrm0
  tpm::PcrMask pcrs = 0;  // of the SHA-256 bank
  // The log of the firmware (kKernelEventLog); empty: none.
  std::filesystem::path event_log;
  tpm::PasswordSource password = {};
};

// What Linux has of the firmware's log.
inline constexpr const char* kKernelEventLog = "/sys/kernel/security/tpm0/binary_bios_measurements";

// A quote by the TPM's attestation key, the values that it covers, the key, and the log. kUsage;
// errors of the TPM.
Result<Evidence> collect_tpm(const CollectTpmRequest& request);

// In a confidential VM of Azure: a quote by the key that its firmware keeps at 0x81000003, and the
// firmware's report that names this key (NV index 0x01400001).
struct CollectAzureRequest {
  CollectTpmRequest quote;
  // 64 bytes that the firmware is to put into a new report (NV index 0x01400002); empty: its report
  // as it is, which names the same key.
  ByteVector user_data;
  // Of a trust domain: the quote that Azure's service makes of the TDREPORT in the report.
  ByteVector td_quote;
  // Ten times this long the firmware has for a new report.
  std::chrono::milliseconds pause{1000};
};
// "azure-sev-snp" or "azure-tdx", as the report says. kUnsupported where the TPM has no such
// report, or the report is of a TD and the quote is not given; kTryAgain where the firmware did not
// renew its report in time.
Result<Evidence> collect_azure(const CollectAzureRequest& request);
// The TDREPORT of 1024 bytes in the report, for Azure's service. kUnsupported elsewhere.
Result<ByteVector> azure_td_report(const std::string& tcti);

}  // namespace sealpack::attest
