// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// What NVIDIA's `nvattest collect-evidence` writes: a list of {"evidence": base64 of request and
// report, "certificate": base64 of the chain in PEM, …}, a GPU each, alone or as the member
// "evidences". What the host says besides (nonce, versions, architecture) is left: nobody signed
// it. Internal to attest/files.
Result<Evidence> parse_nvattest(Bytes json);

}  // namespace sealpack::attest
