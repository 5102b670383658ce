// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// Trustee's evidence "az-snp-vtpm" and "az-tdx-vtpm", versions 0 to 2, taken apart into
// "azure-sev-snp" and "azure-tdx". Nothing is proven. The quote's signature comes without its
// TPMT_SIGNATURE; Azure's attestation keys sign RSASSA with SHA-256.
Result<Evidence> parse_trustee_azure(Bytes json);

}  // namespace sealpack::attest
