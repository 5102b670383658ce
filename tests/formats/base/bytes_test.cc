// SPDX-License-Identifier: Apache-2.0
#include "formats/base/bytes.h"

#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using testing::Fails;

TEST(Hex, RoundTripsAndRefusesOtherText) {
  const ByteVector bytes = {0x00, 0x7f, 0xff};
  EXPECT_EQ(to_hex(bytes), "007fff");
  EXPECT_EQ(*from_hex("007FfF"), bytes);
  for (const char* bad : {"0", "0g", " 00", "0x00", "-1"}) {
    EXPECT_THAT(from_hex(bad), Fails(ErrorCode::kMalformed)) << bad;
  }
}

TEST(Printable, EscapesWhateverSteersATerminal) {
  EXPECT_EQ(printable("weights/größe.bin"), "'weights/größe.bin'");
  EXPECT_EQ(printable("a\x1b[31m"), "'a\\x1b[31m'");
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "txt"),
            "'\\xe2\\x80\\xaetxt'");
  EXPECT_EQ(printable("\xff"
                      "a"),
            "'\\xffa'");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "'\\xc2\\x9b2J'");
}

TEST(Utf8, RefusesSurrogatesOverlongFormsAndCuts) {
  EXPECT_TRUE(is_utf8("\xf0\x9f\xa6\xad"));
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(CheckedArithmetic, ReportsOverflow) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_EQ(checked_multiply(kMax / 2 + 1, 2), std::nullopt);
  EXPECT_EQ(checked_align(4097, 4096), 8192U);
  EXPECT_EQ(checked_align(kMax - 5, 4096), std::nullopt);
}

TEST(FormatSize, UsesBinaryUnits) {
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1536), "1.5 KiB");
  EXPECT_EQ(format_size(std::uint64_t{10} << 30U), "10.0 GiB");
  EXPECT_EQ(format_size((std::uint64_t{1} << 20U) - 1), "1.0 MiB");
}

}  // namespace
}  // namespace sealpack
