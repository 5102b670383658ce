// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Proves a TD quote (v4, v5) wherever it lies, Azure's evidence among them. Of `input` the
// endorsements, roots, time, minimum evaluation number and cache are used; its evidence and
// report_data are not: what the report data must be is for the caller to check. Claims are those of
// "tdx", Claims::report_data the 64 bytes of the TD report.
Verdict verify_tdx_quote(Bytes quote, const VerifyInput& input);

}  // namespace sealpack::attest
