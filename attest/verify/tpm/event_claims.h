// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claims.h"
#include "attest/verify/tpm/event_log.h"

namespace sealpack::attest {

// What a log whose replay holds says beyond the values of registers. Only what the digests
// themselves prove: types and descriptions are not measured, and whoever runs the machine
// afterwards can write them anew and append events.

// Whether the firmware had Secure Boot on: the variable as it was measured before the separator
// that ends the firmware's part of `index` (PCR 7, or 1 in a CCEL). nullopt where the log has no
// such event, or two that contradict each other, or no separator.
std::optional<bool> measured_secure_boot(const EventLog& log, crypto::HashAlgorithm hash,
                                         std::uint32_t index);

// Adds claims "pcrN_event" for those PCRs of `values` that have them: every digest of the SHA-256
// bank that was extended, but for the constants of the specification. None for PCRs that were not
// quoted or that the log does not mention, and for more than 512.
void add_event_claims(const EventLog& log, const std::vector<PcrValue>& values, Claims& claims);

}  // namespace sealpack::attest
