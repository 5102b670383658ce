// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/policy/claim_names.h"

namespace sealpack::policy {

// A value of the claim for people: hex, true or false, a number, a text in quotes. Hex as well for
// what cannot be a value of it.
std::string value_for_people(const ClaimName& claim, Bytes value);

// A value of the claim as a policy file has it; `value` must be one.
std::string value_in_toml(const ClaimName& claim, Bytes value);
// A TOML basic string of printable text.
std::string text_in_toml(std::string_view text);

}  // namespace sealpack::policy
