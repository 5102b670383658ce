// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <algorithm>

#include "formats/base/reason.h"

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

}  // namespace sealpack::testing
