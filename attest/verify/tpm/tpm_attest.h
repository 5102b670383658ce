// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// TPMS_PCR_SELECTION: which PCRs of a bank. PCR i is bit i.
struct PcrSelection {
  std::uint16_t bank = 0;  // TPM_ALG_ID
  std::uint32_t pcrs = 0;
  bool operator==(const PcrSelection&) const = default;
};

inline constexpr unsigned kPcrCount = 24;

// TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE (TPM 2.0 Library Part 2, 10.12.12). Views into the input.
struct TpmQuote {
  Bytes qualified_signer;
  Bytes extra_data;
  std::uint64_t clock = 0;  // milliseconds that the TPM was powered, since it was last cleared
  std::uint32_t reset_count = 0;
  std::uint32_t restart_count = 0;
  bool clock_safe = false;
  std::uint64_t firmware_version = 0;
  std::vector<PcrSelection> selections;  // in the order in which the digest covers them
  Bytes pcr_digest;
};

// What stands before everything a TPM attests: without its magic (tpm::kGeneratedValue) the signed
// bytes could be anything that somebody had the key sign (CVE-2024-29038).
struct TpmAttestHead {
  std::uint32_t magic = 0;
  std::uint16_t type = 0;
};
Result<TpmAttestHead> parse_tpm_attest_head(Bytes attest);

// kMalformed; kUnsupported for another type of attestation. A bank twice is refused: two readers
// could take different values for it.
Result<TpmQuote> parse_tpm_quote(Bytes attest);

}  // namespace sealpack::attest
