// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"
#include "tests/testing/reason_matchers.h"

namespace sealpack::testing {

// EXPECT_THAT(verify(input), Accepted());
MATCHER(Accepted, "is accepted") {
  *result_listener << "reasons:" << text_of(arg.reasons);
  return arg.accepted();
}

// EXPECT_THAT(verify(input), Refused("snp.tcb")): for that reason alone, and without claims.
MATCHER_P(Refused, code, "is refused for " + std::string(code) + " alone") {
  *result_listener << "reasons:" << text_of(arg.reasons);
  return !arg.claims && !arg.accepted() && ::testing::Matches(HasOnlyReason(code))(arg.reasons);
}

// Among other reasons perhaps.
MATCHER_P(RefusedAlsoFor, code, "is refused for " + std::string(code)) {
  *result_listener << "reasons:" << text_of(arg.reasons);
  return !arg.claims && !arg.accepted() && ::testing::Matches(HasReason(code))(arg.reasons);
}

}  // namespace sealpack::testing
