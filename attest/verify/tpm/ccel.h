// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// The item "event-log" beside a TD quote that verified: replays it to the RTMRs among the claims.
// Adds the claims "event_log" and "secure_boot" to an accepted verdict ("none" where there is no
// such item); takes its claims away, with reasons "eventlog.…", where the log leads elsewhere.
void check_ccel(const Evidence& evidence, Verdict& verdict);

}  // namespace sealpack::attest
