// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/policy.

#include "attest/policy/claim_names.h"
#include "formats/bundle/release.h"

namespace sealpack::policy::internal {

// Why `value` cannot be a value of the claim; empty when it can.
std::string why_not_a_value(const ClaimName& claim, Bytes value);

// nullptr where there is none.
const bundle::ClaimRule* find_rule(const bundle::Environment& environment, std::string_view claim);

// Whether the environment must have a rule for the claim: always, or because of its other rules.
bool is_mandatory(const ClaimName& claim, const bundle::Environment& environment);

// Names of the mandatory claims without a rule: "debug, measurement"; empty when none is missing.
std::string missing_claims(const TeeClaims& tee, const bundle::Environment& environment);

// Why the rule has not the form that rules for the claim have; empty when it has.
std::string why_not_a_rule(const ClaimName& claim, const bundle::ClaimRule& rule);

// Why no rule may ignore the claim; empty when one may. Some never, or only where the policy names
// values of another (ClaimName::or_stated) that are not all zeros, which stand for none; some not
// where it accepts values of another (not_ignored_with).
std::string why_not_ignored(const ClaimName& claim, const bundle::Environment& environment);

// A number as ClaimRule::accepted holds it, and back.
ByteVector number_value(std::uint64_t number);
std::uint64_t parse_number_value(Bytes value);

bool is_reason(std::string_view text);

}  // namespace sealpack::policy::internal
