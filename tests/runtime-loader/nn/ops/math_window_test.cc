// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_window.h"

#include <gtest/gtest.h>

#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::testing::HasSubstr;

using Integers = std::vector<std::int64_t>;

Node node(std::vector<Attribute> attributes) {
  Node made;
  made.attributes = std::move(attributes);
  return made;
}

TEST(ConvWindow, CountsPositionsOfADilatedKernel) {
  const Result<Window> window = conv_window(node({{"pads", Integers{1, 0, 2, 0}},
                                                  {"strides", Integers{2, 1}},
                                                  {"dilations", Integers{2, 1}}}),
                                            Integers{7, 5}, Integers{3, 5});
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(window->output[0], 3);
  EXPECT_EQ(window->output[1], 1);
}

TEST(ConvWindow, PutsTheOddPadWhereAutoPadSays) {
  for (const auto& [mode, begin] : {std::pair{"SAME_UPPER", 0}, std::pair{"SAME_LOWER", 1}}) {
    const Result<Window> window =
        conv_window(node({{"auto_pad", std::string(mode)}}), Integers{5}, Integers{2});
    ASSERT_TRUE(window.ok());
    EXPECT_EQ(window->output[0], 5);
    EXPECT_EQ(window->pad_begin[0], begin);
    EXPECT_EQ(window->pad_begin[0] + window->pad_end[0], 1);
  }
}

TEST(ConvWindow, RefusesNumbersOutOfRange) {
  const std::vector<Attribute> bad[] = {
      {{"strides", Integers{0}}},
      {{"strides", Integers{-1}}},
      {{"strides", Integers{1, 1}}},
      {{"strides", std::int64_t{1}}},
      {{"dilations", Integers{0}}},
      {{"pads", Integers{-1, 0}}},
      {{"pads", Integers{1}}},
      {{"pads", Integers{0, 0, 0}}},
      {{"kernel_shape", Integers{2}}},
      {{"kernel_shape", Integers{3, 1}}},
      {{"auto_pad", std::string("SAME")}},
      {{"auto_pad", std::string("VALID")}, {"pads", Integers{1, 0}}},
      {{"dilations", Integers{5}}},
  };
  ASSERT_TRUE(conv_window(node({}), Integers{9}, Integers{3}).ok());
  for (const std::vector<Attribute>& attributes : bad) {
    EXPECT_THAT(conv_window(node(attributes), Integers{9}, Integers{3}),
                Fails(ErrorCode::kMalformed))
        << attributes[0].name;
  }
}

TEST(ConvWindow, RefusesNumbersThatCouldOverflow) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const char* name : {"strides", "dilations"}) {
    EXPECT_THAT(conv_window(node({{name, Integers{kHuge}}}), Integers{9}, Integers{3}),
                Fails(ErrorCode::kLimit));
  }
  EXPECT_THAT(conv_window(node({{"pads", Integers{kHuge, kHuge}}}), Integers{9}, Integers{3}),
              Fails(ErrorCode::kLimit));
  EXPECT_THAT(conv_window(node({}), Integers{9}, Integers{kHuge}), Fails(ErrorCode::kLimit));
  EXPECT_THAT(pool_window(node({{"kernel_shape", Integers{kHuge}}}), Integers{9}),
              Fails(ErrorCode::kLimit));
}

TEST(ConvWindow, RefusesAKernelThatDoesNotFit) {
  EXPECT_THAT(conv_window(node({}), Integers{2}, Integers{3}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("a window of 3 on a padded input of 2")));
  EXPECT_THAT(conv_window(node({}), Integers{0}, Integers{1}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv_window(node({}), Integers{3}, Integers{0}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv_window(node({}), Integers{3, 3}, Integers{3}), Fails(ErrorCode::kMalformed));
}

TEST(TransposedWindow, FindsPaddingForTheOutputThatIsAskedFor) {
  const Result<Window> window = transposed_window(
      node({{"strides", Integers{3}}, {"output_shape", Integers{8}}}), Integers{3}, Integers{3});
  ASSERT_TRUE(window.ok());
  EXPECT_EQ(window->output[0], 8);
  EXPECT_EQ(window->pad_begin[0], 1);
  EXPECT_EQ(window->pad_end[0], 0);
}

TEST(TransposedWindow, RefusesWhatHasNoOutput) {
  const std::vector<Attribute> bad[] = {
      {{"output_padding", Integers{2}}, {"strides", Integers{2}}},
      {{"output_padding", Integers{-1}}},
      {{"output_shape", Integers{0}}},
      {{"output_shape", Integers{1, 2}}},
      {{"output_shape", Integers{std::int64_t{1} << 41}}},
      {{"pads", Integers{3, 3}}},
  };
  for (const std::vector<Attribute>& attributes : bad) {
    EXPECT_THAT(transposed_window(node(attributes), Integers{4}, Integers{3}),
                Fails(ErrorCode::kMalformed))
        << attributes[0].name;
  }
  EXPECT_THAT(transposed_window(node({}), Integers{0}, Integers{3}), Fails(ErrorCode::kMalformed));
}

TEST(PoolWindow, RoundsUpOnlyForWindowsThatStartInside) {
  const auto outputs = [](std::int64_t input, Integers pads) {
    const Result<Window> window = pool_window(node({{"kernel_shape", Integers{2}},
                                                    {"strides", Integers{3}},
                                                    {"pads", std::move(pads)},
                                                    {"ceil_mode", std::int64_t{1}}}),
                                              Integers{input});
    return window.ok() ? window->output[0] : -1;
  };
  EXPECT_EQ(outputs(7, {0, 0}), 3);  // the last starts at 6
  EXPECT_EQ(outputs(6, {0, 0}), 2);  // one at 6 would start beyond the input
  EXPECT_EQ(outputs(5, {1, 1}), 2);  // as would one at 6 - 1
}

TEST(PoolWindow, RefusesPaddingAsWideAsTheWindow) {
  EXPECT_THAT(
      pool_window(node({{"kernel_shape", Integers{2}}, {"pads", Integers{2, 0}}}), Integers{5}),
      FailsWith(ErrorCode::kMalformed, HasSubstr("as wide as")));
}

TEST(PoolWindow, NeedsItsKernelShape) {
  EXPECT_THAT(pool_window(node({}), Integers{5}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("kernel_shape")));
  EXPECT_THAT(pool_window(node({{"kernel_shape", Integers{2, 2}}}), Integers{5}),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(pool_window(node({{"kernel_shape", Integers{0}}}), Integers{5}),
              Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::nn
