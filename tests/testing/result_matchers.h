// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include "formats/base/result.h"

namespace sealpack::testing {

// EXPECT_THAT(parse(x), Succeeds());
MATCHER(Succeeds, "succeeds") {
  if (arg.ok()) return true;
  *result_listener << "failed with " << to_string(arg.error().code()) << ": "
                   << arg.error().message();
  return false;
}

// EXPECT_THAT(parse(x), FailsWith(ErrorCode::kMalformed, HasSubstr("ends inside")));
MATCHER_P2(FailsWith, code, message, "fails with that code and message") {
  if (arg.ok()) {
    *result_listener << "succeeded";
    return false;
  }
  *result_listener << to_string(arg.error().code()) << ": " << arg.error().message();
  return arg.error().code() == code && ::testing::Matches(message)(arg.error().message());
}

// FailsWith(code) where the message does not matter.
MATCHER_P(Fails, code, "fails with that code") {
  if (arg.ok()) {
    *result_listener << "succeeded";
    return false;
  }
  *result_listener << to_string(arg.error().code()) << ": " << arg.error().message();
  return arg.error().code() == code;
}

}  // namespace sealpack::testing
