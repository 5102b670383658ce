// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/schemes/layers/parameters.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::layers {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::testing::HasSubstr;

Parameters sample() {
  Parameters out;
  out.before = "net.onnx";
  out.secure = "net.secure.onnx";
  out.externals = {{"w.bin", "w.bin"}};
  out.taps = {{"h", "h", 1, {{0, "batch"}, {64, ""}}}, {"ids", "", 7, {}}};
  out.answers = {{"y", "", 1, {{0, "batch"}, {10, ""}}}};
  out.results = {"y", "early"};
  out.model = "net.onnx";
  return out;
}

Parameters with_return() {
  Parameters out = sample();
  out.after = "net.after.onnx";
  out.returned = {{"z", "z_in", 1, {{4, ""}}}};
  return out;
}

TEST(Parameters, ComeBackAsTheyWereWritten) {
  for (const Parameters& parameters : {sample(), with_return()}) {
    const auto read = parse_parameters(serialize_parameters(parameters));
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(*read, parameters);
  }
}

TEST(Parameters, RefuseEveryTruncation) {
  const ByteVector bytes = serialize_parameters(with_return());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = parse_parameters(Bytes(bytes).first(size));
    // Cut between two fields, what is left may be complete without its end.
    if (read.ok()) {
      EXPECT_EQ(serialize_parameters(*read).size(), size);
    }
  }
  EXPECT_THAT(parse_parameters({}), Fails(ErrorCode::kMalformed));
}

TEST(Parameters, HaveOneEncodingUnderEverySingleBitFlip) {
  const ByteVector good = serialize_parameters(with_return());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    ByteVector bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto read = parse_parameters(bad);
    if (read.ok()) {
      EXPECT_EQ(serialize_parameters(*read), bad) << bit;
      EXPECT_NE(*read, with_return()) << bit;
    }
  }
}

// What a writer with a bug, or an attacker with the vendor's key, might say.
void expect_refused(const Parameters& parameters, const std::string& why) {
  EXPECT_THAT(parse_parameters(serialize_parameters(parameters)),
              FailsWith(ErrorCode::kMalformed, HasSubstr(why)));
}

TEST(Parameters, RefuseAPathThatLeavesTheBundle) {
  Parameters bad = sample();
  bad.secure = "../net.onnx";
  expect_refused(bad, "..");
  bad = sample();
  bad.externals[0].path = "/etc/passwd";
  expect_refused(bad, "passwd");
}

TEST(Parameters, RefuseADimensionThatIsBothOrNeither) {
  Parameters bad = sample();
  bad.taps[0].shape[0] = {3, "batch"};
  expect_refused(bad, "one of the two");
  bad.taps[0].shape[0] = {0, ""};
  expect_refused(bad, "one of the two");
}

TEST(Parameters, RefuseAnElementTypeThatIsNone) {
  Parameters bad = sample();
  bad.taps[0].dtype = 8;  // strings
  expect_refused(bad, "element type 8");
}

TEST(Parameters, RefuseTooManyDimensions) {
  Parameters bad = sample();
  bad.taps[0].shape.assign(kMaxRank + 1, {2, ""});
  expect_refused(bad, "dimensions");
}

TEST(Parameters, RefuseTapsOfOneName) {
  Parameters bad = sample();
  bad.taps[1].name = "h";
  expect_refused(bad, "two taps");
}

TEST(Parameters, RefuseATapFromNowhere) {
  Parameters bad = sample();
  bad.before.clear();
  expect_refused(bad, "not there");
}

TEST(Parameters, RefuseAnAnswerThatIsNoResult) {
  Parameters bad = sample();
  bad.results = {"early"};
  expect_refused(bad, "no result");
}

TEST(Parameters, RefuseASecurePartThatGivesNothing) {
  Parameters bad = sample();
  bad.answers.clear();
  expect_refused(bad, "nothing comes out");
}

TEST(Parameters, RefuseAPartBehindThatReadsNothing) {
  Parameters bad = sample();
  bad.after = "net.after.onnx";
  expect_refused(bad, "not both");
  bad = with_return();
  bad.after.clear();
  expect_refused(bad, "not both");
}

TEST(Parameters, RefuseAnAnswerWithASource) {
  Parameters bad = sample();
  bad.answers[0].source = "h";
  expect_refused(bad, "crossing tensor");
}

TEST(Parameters, RefuseMoreTapsThanTheLimit) {
  Parameters bad = sample();
  for (std::size_t i = 0; i < kMaxValues; ++i)
    bad.taps.push_back({"t" + std::to_string(i), "", 1, {}});
  expect_refused(bad, "too many");
}

}  // namespace
}  // namespace sealpack::layers
