// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claims.h"
#include "formats/base/reason.h"
#include "formats/bundle/release.h"

namespace sealpack::policy {

// Why an environment with these claims may not open what the policy guards; empty when it may. Of
// several environments for its TEE one must accept it; otherwise the reasons of the one that it
// came closest to (fewest reasons) are given. Codes "policy.…".
std::vector<Reason> judge(const attest::Claims& claims, const bundle::MeasurementPolicy& policy);

}  // namespace sealpack::policy
