// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claims.h"
#include "attest/verify/chain_cache.h"
#include "formats/base/reason.h"
#include "keymgmt/crypto/device_signature.h"

// What Azure's firmware inside a confidential VM (HCL, the paravisor) puts into NV index 0x01400001
// of the virtual TPM it makes: the report of the processor, and the data that this report is bound
// to, which name the TPM's keys.
namespace sealpack::attest {

enum class HclReportType : std::uint32_t { kSevSnp = 2, kTdx = 4 };

// Views into the input; nothing is proven.
struct HclReport {
  std::uint32_t report_type = 0;
  std::uint32_t hash_type = 0;
  Bytes hardware_report;  // 1184 bytes: an ATTESTATION_REPORT, or a TDREPORT and zeros
  Bytes variable_data;    // JSON
};
// kMalformed, sizes that contradict each other and bytes behind the end that are not zero among it;
// kUnsupported for other versions.
Result<HclReport> parse_hcl_report(Bytes bytes);

// The JSON of the variable data.
struct HclVariableData {
  crypto::DeviceKey ak;  // HCLAkPub
  Claims claims;         // "hcl_…", unsorted: what the firmware says about the machine
};
// kMalformed: members twice, at any depth; not exactly one signing RSA key HCLAkPub; members that
// policies can ask for of another type. Members that are not known are passed over: Azure adds some
// with each version, and nothing is concluded from them.
Result<HclVariableData> parse_hcl_variable_data(Bytes json);

// What the processor's report must have as its report data: SHA-256 of the variable data, then
// zeros. Adds "azure.hash-type" and "azure.binding".
void check_hcl_binding(const HclReport& report, Bytes report_data, std::vector<Reason>& reasons);

// Both, with the reasons "azure.report", "azure.report-type" and "azure.var-data" where they fail.
// Variable data that were read before are found in `cache`, where there is one.
struct HclItem {
  HclReport report;
  HclVariableData data;
};
std::optional<HclItem> parse_hcl_item(Bytes bytes, HclReportType type, ChainCache* cache,
                                      std::vector<Reason>& reasons);

}  // namespace sealpack::attest
