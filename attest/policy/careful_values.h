// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "attest/policy/claim_names.h"

namespace sealpack::policy {

// Of a claim for which any careful policy wants the same: the values that it accepts.
struct CarefulValues {
  std::string_view claim;
  std::string_view values;  // as a policy file lists them: `"single-gpu", "multi-gpu"`
  std::string_view others;  // what other values let in, for people
};

// Ascending by claim. New policies begin with these, and whatever else a policy accepts is called
// relaxed.
std::span<const CarefulValues> all_careful_values();
// nullptr for claims whose values only the policy's author knows.
const CarefulValues* find_careful_values(std::string_view claim);
bool is_careful(const CarefulValues& careful, const ClaimName& claim, Bytes value);

}  // namespace sealpack::policy
