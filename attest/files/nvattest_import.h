// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/files.

#include <optional>

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// A GPU's request (SPDM GET_MEASUREMENTS with a nonce) and its report behind it, as NVIDIA's
// libraries give them; nullopt for other bytes.
std::optional<Evidence> parse_gpu_report(Bytes bytes);

// What NVIDIA's `nvattest collect-evidence` writes: a list of {"evidence": base64 of request and
// report, "certificate": base64 of the chain in PEM, …}, a GPU each, alone or as the member
// "evidences". What the host says besides (nonce, versions, architecture) is left: nobody signed
// it.
Result<Evidence> parse_nvattest(Bytes json);

}  // namespace sealpack::attest
