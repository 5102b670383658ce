// SPDX-License-Identifier: Apache-2.0
#include "formats/base/base64.h"

#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using testing::Fails;

struct Sample {
  std::string bytes;
  const char* standard;
  const char* url;
};
// RFC 4648 section 10, and the digits in which the alphabets differ.
const Sample kSamples[] = {{"", "", ""},
                           {"f", "Zg==", "Zg"},
                           {"fo", "Zm8=", "Zm8"},
                           {"foo", "Zm9v", "Zm9v"},
                           {"foob", "Zm9vYg==", "Zm9vYg"},
                           {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                           {std::string(3, '\0'), "AAAA", "AAAA"},
                           {"\xff\xef", "/+8=", "_-8"},
                           {"\xfb\xff\xbf", "+/+/", "-_-_"}};

TEST(Base64Texts, AreThoseOfTheStandard) {
  for (const Sample& sample : kSamples) {
    const ByteVector bytes = to_vector(as_bytes(sample.bytes));
    EXPECT_EQ(to_base64(bytes), sample.standard);
    EXPECT_EQ(to_base64(bytes, Base64::kUrl), sample.url);
    EXPECT_EQ(from_base64(sample.standard).value(), bytes);
    EXPECT_EQ(from_base64(sample.url, Base64::kUrl).value(), bytes);
  }
}

TEST(Base64Texts, OfAllBytesComeBack) {
  ByteVector bytes;
  for (unsigned i = 0; i < 256; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  for (; !bytes.empty(); bytes.pop_back()) {
    for (const Base64 form : {Base64::kStandard, Base64::kUrl}) {
      EXPECT_EQ(from_base64(to_base64(bytes, form), form).value(), bytes);
    }
  }
}

// A second text for the same bytes would let signed text change and still be read.
TEST(Base64Texts, HaveNoSecondReading) {
  for (const char* text :
       {"Zg",    "Zg=",      "Zg===", "Zg====", "Zh==",     "Zm8",      "Zm9=",
        "Z",     "=",        "==",    "====",   "Z===",     "Z=g=",     "Zg==\n",
        " Zg==", "Zg==Zg==", "Zm9-",  "Zm9_",   "Zm9v====", "Zm9v\x01", "Zm\xc3\xa9"}) {
    EXPECT_THAT(from_base64(text), Fails(ErrorCode::kMalformed)) << text;
  }
  for (const char* text : {"Zg==", "Zh", "Z", "Zm9vY", "Zm9=", "Zm9+", "Zm9/", "Zg\n", "="}) {
    EXPECT_THAT(from_base64(text, Base64::kUrl), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(from_base64(std::string_view("Zm9\0", 4)), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack
