// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/plan_file.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::testing::HasSubstr;

PlanFile sample() {
  PlanFile plan;
  plan.model = "net \"2\"\\.onnx";
  for (std::size_t i = 0; i < Digest::kSize; ++i) {
    plan.digest.bytes[i] = static_cast<std::uint8_t>(i);
  }
  plan.secure = {"/fc1/Gemm_output_0", "odd \"name\"\n\x01", "logits"};
  plan.target = "op-tee";
  plan.memory = std::uint64_t{15} << 20U;
  plan.estimate = Estimate{1, 4096, 512, 1, 0.25, 0.5};
  return plan;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PlanFile, ComesBackAsItWasWritten) {
  const auto read = parse_plan(serialize_plan(sample()), "p");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, sample());
}

TEST(PlanFile, SaysEverythingInOneWord) {
  PlanFile plan = sample();
  plan.whole = true;
  plan.secure.clear();
  plan.estimate.reset();
  plan.memory.reset();
  const auto read = parse_plan(serialize_plan(plan), "p");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, plan);
}

TEST(PlanFile, RefusesEveryTruncationThatLosesATable) {
  const std::string text = serialize_plan(sample());
  const std::size_t needed = text.find("\n[target]");
  for (std::size_t size = 0; size < needed - 1; ++size) {
    EXPECT_FALSE(parse_plan(text.substr(0, size), "p").ok()) << size;
  }
}

TEST(PlanFile, RefusesAnotherFormat) {
  const std::string text = serialize_plan(sample());
  EXPECT_THAT(parse_plan(replaced(text, "sealpack_plan = 1", "sealpack_plan = 2"), "p"),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(parse_plan(replaced(text, "sealpack_plan = 1", "sealpack_plan = 0"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_plan(replaced(text, "sealpack_plan = 1\n", ""), "p"),
              Fails(ErrorCode::kMalformed));
}

TEST(PlanFile, RefusesBothOrNeitherOfEverythingAndNodes) {
  const std::string text = serialize_plan(sample());
  EXPECT_THAT(parse_plan(replaced(text, "[secure]\n", "[secure]\neverything = true\n"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("either")));
  EXPECT_THAT(parse_plan("sealpack_plan = 1\n[model]\nfile = \"m\"\ndigest = \"sha256:" +
                             std::string(64, 'a') + "\"\n[secure]\n",
                         "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("either")));
}

TEST(PlanFile, RefusesABadDigestAnUnknownKeyAndANodeTwice) {
  const std::string text = serialize_plan(sample());
  EXPECT_THAT(parse_plan(replaced(text, "sha256:00", "sha256:0g"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_plan(replaced(text, "sha256:00", "sha512:00"), "p"),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_plan(replaced(text, "[target]", "[target]\nspeed = 1"), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("speed")));
  EXPECT_THAT(parse_plan(replaced(text, "\"logits\"", "\"/fc1/Gemm_output_0\""), "p"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
}

}  // namespace
}  // namespace sealpack::plan
