// SPDX-License-Identifier: Apache-2.0
#include "attest/files/text_encodings.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::Succeeds;

std::string base64(std::string_view text) {
  const auto bytes = decode_base64(text);
  return bytes.ok() ? std::string(as_text(*bytes)) : "FAILED";
}

// RFC 4648 section 10.
TEST(TextEncodings, ReadBase64WithAndWithoutPadding) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("Zg=="), "f");
  EXPECT_EQ(base64("Zg"), "f");
  EXPECT_EQ(base64("Zm8="), "fo");
  EXPECT_EQ(base64("Zm9v"), "foo");
  EXPECT_EQ(base64("Zm9vYg=="), "foob");
  EXPECT_EQ(base64("Zm9v\nYmFy\r\n"), "foobar");
  EXPECT_EQ(base64("_-8"), "\xff\xef");
  EXPECT_EQ(base64("/+8="), "\xff\xef");
}

TEST(TextEncodings, RefuseBase64ThatIsNone) {
  for (const char* text : {"Z", "Zm9vY", "Zg=", "Zg===", "=", "====", "Zg==Zg==", "Z=g=", "Zh==",
                           "Zm9=", "Zm9v!", "_+8=", "Zm9v\x01", "Zm9v\xc3\xa9"}) {
    EXPECT_THAT(decode_base64(text), Fails(ErrorCode::kMalformed)) << text;
  }
}

TEST(TextEncodings, ReadHexAcrossLines) {
  const auto bytes = decode_hex_text(" 01 aB\nfF\r\n");
  ASSERT_THAT(bytes, Succeeds());
  EXPECT_EQ(*bytes, (ByteVector{0x01, 0xab, 0xff}));
  EXPECT_THAT(decode_hex_text("0x01"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(decode_hex_text("012"), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::attest
