// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <algorithm>

#include "attest/verify/verify.h"

namespace sealpack::testing {

// "code: text" a line, for messages.
inline std::string text_of(const std::vector<Reason>& reasons) {
  std::string text;
  for (const Reason& reason : reasons) text += "\n  " + reason.code + ": " + reason.text;
  return text.empty() ? " none" : text;
}

// EXPECT_THAT(reasons, HasReason("chain.expired"));
MATCHER_P(HasReason, code, "has the reason " + std::string(code)) {
  *result_listener << "reasons:" << text_of(arg);
  return std::any_of(arg.begin(), arg.end(),
                     [&](const Reason& reason) { return reason.code == code; });
}

// For that code and no other, however often it is said.
MATCHER_P(HasOnlyReason, code, "has the reason " + std::string(code) + " and no other") {
  *result_listener << "reasons:" << text_of(arg);
  return !arg.empty() && std::all_of(arg.begin(), arg.end(),
                                     [&](const Reason& reason) { return reason.code == code; });
}

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
