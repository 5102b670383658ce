// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attest/policy/claims.h"

namespace sealpack::attest {

// A policy environment in TOML with comments, to be edited.
struct PolicyDraft {
  std::string text;
  // Claims that its author has to decide about: bad news of the sample, and what it does not say.
  // Until then the policy refuses the sample, or cannot be used at all.
  std::vector<std::string> undecided;
};

// What the claims prove. Levels that firmware updates raise become minima, other claims must be as
// they are; what is required has a rule, the rest stands there commented out. What no careful
// policy accepts is not accepted: the rule that would is a comment, with a reason to be filled in.
// `source` says where the values come from.
PolicyDraft environment_of(const Claims& claims, const std::string& source);

// The same without evidence: what everybody wants is filled in, what only the user knows is left
// empty, which `sealpack policy check` refuses. kUsage for a TEE that does not exist.
Result<std::string> empty_environment(const std::string& tee);

// What stands above the environments.
std::string policy_heading();

}  // namespace sealpack::attest
