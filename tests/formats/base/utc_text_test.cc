// SPDX-License-Identifier: Apache-2.0
#include "formats/base/utc_text.h"

#include <gtest/gtest.h>

namespace sealpack {
namespace {

TEST(UtcText, KnowsLeapYearsAndTheEndsOfDays) {
  EXPECT_EQ(utc_text(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(utc_text(951782399), "2000-02-28 23:59:59 UTC");
  EXPECT_EQ(utc_text(951782400), "2000-02-29 00:00:00 UTC");
  EXPECT_EQ(utc_text(4107542400), "2100-03-01 00:00:00 UTC");
}

TEST(UtcText, WritesWhatHasNoFourDigitYearAsSeconds) {
  EXPECT_EQ(utc_text(253402300799), "9999-12-31 23:59:59 UTC");
  EXPECT_EQ(utc_text(253402300800), "253402300800 (Unix seconds)");
  EXPECT_EQ(utc_text(~std::uint64_t{0}), "18446744073709551615 (Unix seconds)");
}

}  // namespace
}  // namespace sealpack
