// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "attest/policy/claims.h"
#include "formats/base/reason.h"

// What a person does next, by the codes of the reasons; empty where only other evidence would help.
namespace sealpack::attest {

// About evidence that is not proven: where to get what is missing, when it held, how to say whom
// one believes.
std::string step_to_proof(std::string_view tee, std::span<const Reason> reasons);

// About proven evidence that a policy refuses.
std::string step_to_acceptance(const Claims& claims, std::span<const Reason> reasons);

}  // namespace sealpack::attest
