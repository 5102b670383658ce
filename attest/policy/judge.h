// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claims.h"
#include "formats/base/reason.h"
#include "formats/bundle/release.h"

namespace sealpack::policy {

// Codes "policy.…". In a policy of several environments each text begins with the one that it is
// about, counted from 1: "environment 2: …".
struct Judgement {
  // Why an environment with these claims may not open what the policy guards; empty when it may. Of
  // several environments for its TEE one must accept it; otherwise these are the reasons of the one
  // that it came closest to (fewest reasons).
  std::vector<Reason> reasons;
  // Those of the policy's other environments for its TEE, the first kMaxOtherReasons of them.
  std::vector<Reason> others;
};
inline constexpr std::size_t kMaxOtherReasons = 64;

Judgement judge_all(const attest::Claims& claims, const bundle::MeasurementPolicy& policy);
// The reasons alone.
std::vector<Reason> judge(const attest::Claims& claims, const bundle::MeasurementPolicy& policy);

}  // namespace sealpack::policy
