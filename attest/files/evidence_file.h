// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "attest/evidence/evidence.h"
#include "attest/verify/verify.h"

namespace sealpack::attest {

// Evidence in the forms that people have, told by its content and never by its name:
//   sealpack's envelope (evidence.h)
//   sev-snp      ATTESTATION_REPORT; the host's table of certificates may follow it
//   sgx, tdx     DCAP quote of version 3, 4 or 5
//   nitro        attestation document
//   psa, cca     token
//   nvidia-gpu   SPDM request and report, one behind the other
//   the same as hex or base64, and Intel's quote as JSON {"quote": base64 or hex, "cc_eventlog":
//   base64}
//   tpm, azure-* as Trustee and go-tpm-tools write them (tpm_import.h, azure_import.h)
// Nothing is proven. `name` stands for the file in messages. Certificates that come along and are
// none of the evidence are added to `beside`, if it is there. kMalformed for what is none of these.
Result<Evidence> parse_evidence_file(Bytes content, const std::string& name,
                                     Endorsements* beside = nullptr);

// A file, or a folder as evidence_folder.h has it. kIo, kMalformed, kLimit.
Result<Evidence> load_evidence(const std::filesystem::path& path, Endorsements* beside = nullptr);

// How large a file of that item may be: an event log comes with the memory set aside for it.
std::uint64_t max_item_file_size(std::string_view kind);

// Adds an item or replaces it; an event log without its padding. kUsage for a kind that does not
// exist and for nothing.
Status set_item(Evidence& evidence, const std::string& kind, Bytes bytes);

}  // namespace sealpack::attest
