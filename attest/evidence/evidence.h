// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// What an environment says about itself, as it travels: the manufacturer's own bytes, unchanged,
// each named. Untrusted until attest/verify proves it. docs/ATTESTATION.md lists the items of each
// TEE.
struct EvidenceItem {
  std::string kind;  // one of kEvidenceKinds
  ByteVector bytes;
  bool operator==(const EvidenceItem&) const = default;
};

struct Evidence {
  std::string tee;                  // as in policies: "sev-snp", "azure-tdx" …
  std::vector<EvidenceItem> items;  // in the order of kEvidenceKinds, each at most once

  // nullptr where there is none.
  const ByteVector* find(std::string_view kind) const;
  bool operator==(const Evidence&) const = default;
};

// Kinds of items and the TEEs that have them:
//   report            SNP ATTESTATION_REPORT (sev-snp); simulated statement (simulated)
//   certificates      SNP certificate table as the host gives it (sev-snp)
//   quote             DCAP quote (sgx, tdx, azure-tdx)
//   document          Nitro attestation document
//   token             PSA or CCA token
//   hcl-report        Azure's report from NV index 0x01400001 (azure-*)
//   tpm-quote         TPMS_ATTEST (tpm, azure-*)
//   tpm-signature     TPMT_SIGNATURE (tpm, azure-*)
//   tpm-pcrs          the PCR values that the quote covers (tpm, azure-*), in the order in which it
//                     digests them: per value hash algorithm (u16 BE), index (u8), digest
//   ak-public         TPM2B_PUBLIC or TPMT_PUBLIC of the attestation key (tpm)
//   ek-certificate    DER, where a TPM is enrolled; no quote is bound to it, and evidence of "tpm"
//                     with one is refused
//   event-log         TCG2 crypto-agile log (tpm, azure-*), CCEL (tdx)
//   gpu-request       SPDM GET_MEASUREMENTS request (nvidia-gpu, or beside a CPU's TEE)
//   gpu-report        its response
//   gpu-certificates  PEM chain, the GPU's own certificate first
//   gpu2-… to gpu8-…  the same of further GPUs (gpu_items.h)
inline constexpr std::string_view kEvidenceKinds[] = {
    "report",       "certificates",   "quote",
    "document",     "token",          "hcl-report",
    "tpm-quote",    "tpm-signature",  "tpm-pcrs",
    "ak-public",    "ek-certificate", "event-log",
    "gpu-request",  "gpu-report",     "gpu-certificates",
    "gpu2-request", "gpu2-report",    "gpu2-certificates",
    "gpu3-request", "gpu3-report",    "gpu3-certificates",
    "gpu4-request", "gpu4-report",    "gpu4-certificates",
    "gpu5-request", "gpu5-report",    "gpu5-certificates",
    "gpu6-request", "gpu6-report",    "gpu6-certificates",
    "gpu7-request", "gpu7-report",    "gpu7-certificates",
    "gpu8-request", "gpu8-report",    "gpu8-certificates"};

inline constexpr std::uint64_t kMaxEvidenceSize = 128U << 10U;

// The canonical protobuf subset (FORMAT.md §2): 1 version (1), 2 tee, 3 repeated Item {1 kind,
// 2 bytes}.
ByteVector serialize_evidence(const Evidence& evidence);
// kMalformed; kUnsupported for another version; kLimit. The TEE's name is not judged.
Result<Evidence> parse_evidence(Bytes bytes);

}  // namespace sealpack::attest
