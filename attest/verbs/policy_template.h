// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "attest/policy/claims.h"

namespace sealpack::attest {

// A policy environment in TOML with comments, to be edited. Every required claim has a rule; what
// else the evidence claims stands there commented out. Levels that firmware updates raise become
// minima, other claims must be as they are. `source` says where the values come from. Claims that
// are bad news are accepted as they are, and said to be.
std::string environment_of(const Claims& claims, const std::string& source);

// The same without evidence: what everybody wants is filled in, what only the user knows is left
// empty, which `sealpack policy check` refuses. kUsage for a TEE that does not exist.
Result<std::string> empty_environment(const std::string& tee);

// What stands above the environments.
std::string policy_heading();

}  // namespace sealpack::attest
