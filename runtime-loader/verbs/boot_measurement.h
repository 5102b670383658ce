// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::loader {

// What a machine booted, as its receipts have it: SHA-256 of the fields in which its platform
// measured that ([L-4.1.3]), out of evidence that the machine collected about itself. Nothing of
// the evidence is proven here. kMalformed; kUnsupported for a TEE without such fields.
Result<Digest> boot_measurement(const attest::Evidence& evidence);

}  // namespace sealpack::loader
