// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/policy.

#include "attest/policy/claim_names.h"
#include "formats/bundle/release.h"

namespace sealpack::policy::internal {

// Why `value` cannot be a value of the claim; empty when it can.
std::string why_not_a_value(const ClaimName& claim, Bytes value);

// Names of the mandatory claims without a rule: "debug, measurement"; empty when none is missing.
std::string missing_claims(const TeeClaims& tee, const bundle::Environment& environment);

// Whether a rule may ignore the claim: some never, or only where the policy names values of another
// (ClaimName::or_stated) that are not all zeros, which stand for none.
bool may_ignore(const ClaimName& claim, const bundle::Environment& environment);

// A number as ClaimRule::accepted holds it, and back.
ByteVector number_value(std::uint64_t number);
std::uint64_t parse_number_value(Bytes value);

bool is_reason(std::string_view text);

}  // namespace sealpack::policy::internal
