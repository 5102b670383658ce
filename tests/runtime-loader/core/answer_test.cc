// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/answer.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using bundle::AnswerForm;
using bundle::AnswerRule;
using nn::DType;
using nn::Shape;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename In, typename Out>
Result<std::vector<Out>> shaped(const AnswerRule& rule, DType dtype, const Shape& shape,
                                const std::vector<In>& values) {
  const nn::ConstTensor output{{dtype, shape},
                               reinterpret_cast<const std::uint8_t*>(values.data())};
  const nn::TensorType type = TRY(answer_type(rule, output.type));
  ByteVector bytes(static_cast<std::size_t>(type.size()));
  TRY(shape_answer(rule, output, bytes));
  std::vector<Out> out(bytes.size() / sizeof(Out));
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

Result<std::vector<float>> rounded(std::uint32_t decimals, const std::vector<float>& values) {
  return shaped<float, float>({AnswerForm::kRounded, decimals, 0}, DType::kF32,
                              Shape{static_cast<std::int64_t>(values.size())}, values);
}

Result<std::vector<std::int64_t>> top1(const Shape& shape, const std::vector<float>& values) {
  return shaped<float, std::int64_t>({AnswerForm::kTop1, 0, 0}, DType::kF32, shape, values);
}

TEST(Rounding, GoesToTheNearestAndHalvesToEven) {
  EXPECT_THAT(rounded(0, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 2.4F}).value(),
              ElementsAre(0, 2, 2, 0, -2, 2));
  EXPECT_THAT(rounded(2, {0.126F, -3.999F, 7}).value(), ElementsAre(0.13F, -4.0F, 7.0F));
}

TEST(Rounding, GivesNoNegativeZero) {
  const auto out = rounded(1, {-0.0F, -0.04F}).value();
  EXPECT_FALSE(std::signbit(out[0]));
  EXPECT_FALSE(std::signbit(out[1]));
}

TEST(Rounding, RefusesWhatIsNotFinite) {
  const float infinite = std::numeric_limits<float>::infinity();
  EXPECT_THAT(rounded(1, {1, std::nanf("")}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(rounded(1, {-infinite}), Fails(ErrorCode::kRefused));
}

TEST(Rounding, KeepsHugeValuesAndIntegers) {
  EXPECT_THAT(rounded(9, {3e38F}).value(), ElementsAre(3e38F));
  const auto integers = shaped<std::int64_t, std::int64_t>({AnswerForm::kRounded, 1, 0},
                                                           DType::kI64, Shape{2}, {-5, 17});
  EXPECT_THAT(integers.value(), ElementsAre(-5, 17));
}

Result<std::vector<double>> rounded_doubles(std::uint32_t decimals,
                                            const std::vector<double>& values) {
  return shaped<double, double>({AnswerForm::kRounded, decimals, 0}, DType::kF64,
                                Shape{1, static_cast<std::int64_t>(values.size())}, values);
}

// A network of linear layers and ReLUs without biases computes f(c x) = c f(x): what the decimals
// hide of f(x) would stand before the point of f(1000000 x).
TEST(Rounding, BringsOutNoFurtherDigitsOfInputsScaledUp) {
  const std::vector<double> honest = {0.123456789, -0.987654321, 4.56789};
  for (const double scale : {1e2, 1e6, 1e12, 1e30}) {
    std::vector<double> scaled;
    for (const double value : honest) scaled.push_back(value * scale);
    const auto answer = rounded_doubles(2, scaled).value();
    for (std::size_t i = 0; i < honest.size(); ++i) {
      // Four digits of the largest, 4.568: no more than three decimals of any.
      const double known = answer[i] / scale;
      EXPECT_NEAR(known, std::round(honest[i] * 1000) / 1000, 1e-9) << scale;
    }
  }
}

// However large it is, it is one of so many numbers.
TEST(Rounding, LeavesNoValueMoreDigitsThanTheRuleGives) {
  for (const std::uint32_t decimals : {0U, 1U, 3U}) {
    for (const double scale : {1.0, 1e1, 1e2, 1e3, 1e7, 1e20, 1e200}) {
      const double got = rounded_doubles(decimals, {1.2345678901234 * scale}).value()[0];
      std::array<char, 64> text{};
      (void)std::snprintf(text.data(), text.size(), "%.*e", static_cast<int>(decimals) + 1, got);
      EXPECT_NEAR(std::strtod(text.data(), nullptr) / got, 1, 1e-14) << decimals << ' ' << scale;
    }
  }
}

TEST(Rounding, KeepsAllDecimalsBelowAHundred) {
  EXPECT_THAT(rounded_doubles(2, {99.994, 0.006}).value(), ElementsAre(99.99, 0.01));
  EXPECT_THAT(rounded_doubles(2, {100.04, 0.06, 0.04}).value(), ElementsAre(100.0, 0.1, 0.0));
  EXPECT_THAT(rounded_doubles(0, {1234, 55, 50, 149}).value(), ElementsAre(1200, 100, 0, 100));
}

TEST(Rounding, JudgesEachAnswerOfABatchByItself) {
  const auto out = shaped<float, float>({AnswerForm::kRounded, 1, 0}, DType::kF32, Shape{2, 2},
                                        {1234.5F, 1.25F, 0.26F, 1.34F});
  EXPECT_THAT(out.value(), ElementsAre(1230.0F, 0.0F, 0.3F, 1.3F));
  const auto scalars =
      shaped<float, float>({AnswerForm::kRounded, 1, 0}, DType::kF32, Shape{2}, {1234.5F, 1.26F});
  EXPECT_THAT(scalars.value(), ElementsAre(1230.0F, 1.3F));
  const auto scalar =
      shaped<float, float>({AnswerForm::kRounded, 1, 0}, DType::kF32, Shape{}, {1234.5F});
  EXPECT_THAT(scalar.value(), ElementsAre(1230.0F));
}

TEST(Rounding, StaysFinite) {
  const double most = std::numeric_limits<double>::max();
  EXPECT_THAT(rounded_doubles(0, {most, -most}).value(), ElementsAre(1.7e308, -1.7e308));
  const float wide = std::numeric_limits<float>::max();
  for (const std::uint32_t decimals : {0U, 1U, 2U, 5U, 9U}) {
    EXPECT_TRUE(std::isfinite(rounded(decimals, {wide}).value()[0])) << decimals;
    EXPECT_TRUE(std::isfinite(rounded(decimals, {-wide}).value()[0])) << decimals;
  }
}

TEST(Rounding, WidensHalves) {
  const auto out = shaped<std::uint16_t, float>({AnswerForm::kRounded, 1, 0}, DType::kF16, Shape{3},
                                                {0x3c00, 0xb5c3, 0x0001});  // 1, -0.36, 6e-8
  EXPECT_THAT(out.value(), ElementsAre(1.0F, -0.4F, 0.0F));
  const auto brain = shaped<std::uint16_t, float>({AnswerForm::kRounded, 0, 0}, DType::kBF16,
                                                  Shape{2}, {0x3f80, 0xc2c8});  // 1, -100
  EXPECT_THAT(brain.value(), ElementsAre(1.0F, -100.0F));
}

TEST(TopOne, IsTheFirstLargestOfEachRow) {
  EXPECT_THAT(top1({2, 3}, {1, 5, 5, -3, -2, -4}).value(), ElementsAre(1, 1));
  EXPECT_THAT(top1({3}, {-1, -1, -1}).value(), ElementsAre(0));
  EXPECT_THAT(top1({}, {4}).value(), ElementsAre(0));
  EXPECT_THAT(top1({0, 3}, {}).value(), ElementsAre());
}

TEST(TopOne, SaysNothingButTheIndex) {
  const auto type = answer_type({AnswerForm::kTop1, 0, 0}, {DType::kF32, Shape{4, 10}});
  EXPECT_EQ(*type, (nn::TensorType{DType::kI64, Shape{4}}));
}

TEST(TopOne, RefusesWhatHasNoOrder) {
  EXPECT_THAT(top1({3}, {1, std::nanf(""), 0}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(answer_type({AnswerForm::kTop1, 0, 0}, {DType::kBool, Shape{3}}),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(answer_type({AnswerForm::kTop1, 0, 0}, {DType::kF32, Shape{2, 0}}),
              Fails(ErrorCode::kUnsupported));
}

TEST(TopOne, OrdersUnsignedNumbersAsSuch) {
  const auto out = shaped<std::uint8_t, std::int64_t>({AnswerForm::kTop1, 0, 0}, DType::kU8,
                                                      Shape{3}, {3, 200, 100});
  EXPECT_THAT(out.value(), ElementsAre(1));
}

TEST(Scores, LeaveAsTheyAre) {
  const auto out = shaped<float, float>({}, DType::kF32, Shape{2}, {0.1F, std::nanf("")}).value();
  EXPECT_EQ(out[0], 0.1F);
  EXPECT_TRUE(std::isnan(out[1]));
}

TEST(AnswerCount, IsTheNumberOfRows) {
  const auto count = [](const Shape& output, const Shape& single) {
    const nn::TensorType one{DType::kF32, single};
    return answer_count({DType::kF32, output}, &one);
  };
  EXPECT_EQ(count(Shape{10}, Shape{10}), 1U);
  EXPECT_EQ(count(Shape{}, Shape{}), 1U);
  EXPECT_EQ(count(Shape{64, 10}, Shape{1, 10}), 64U);
  EXPECT_EQ(count(Shape{2, 128, 768}, Shape{1, 1, 768}), 256U);
  // A batch in the last dimension is a batch.
  EXPECT_EQ(count(Shape{1000}, Shape{1}), 1000U);
  EXPECT_EQ(count(Shape{4, 1000}, Shape{4, 1}), 4000U);
  // Without a measure every element counts; an output that is empty by itself has none.
  EXPECT_EQ(answer_count({DType::kF32, Shape{3, 5}}, nullptr), 15U);
  EXPECT_EQ(count(Shape{3, 5}, Shape{0}), 15U);
}

TEST(Narrowing, GivesLessThanTheRelease) {
  Narrowing narrowing;
  narrowing.form = AnswerForm::kTop1;
  narrowing.query_budget = 5;
  EXPECT_EQ(narrow({AnswerForm::kRounded, 3, 10}, narrowing).value(),
            (AnswerRule{AnswerForm::kTop1, 0, 5}));
  EXPECT_EQ(narrow({AnswerForm::kScores, 0, 0}, narrowing).value(),
            (AnswerRule{AnswerForm::kTop1, 0, 5}));
  EXPECT_EQ(narrow({AnswerForm::kRounded, 3, 10}, {}).value(),
            (AnswerRule{AnswerForm::kRounded, 3, 10}));
}

TEST(Narrowing, NeverGivesMore) {
  Narrowing scores;
  scores.form = AnswerForm::kScores;
  EXPECT_THAT(narrow({AnswerForm::kTop1, 0, 0}, scores), Fails(ErrorCode::kRefused));
  EXPECT_THAT(narrow({AnswerForm::kRounded, 1, 0}, scores), Fails(ErrorCode::kRefused));
  Narrowing decimals;
  decimals.form = AnswerForm::kRounded;
  decimals.decimals = 2;
  EXPECT_THAT(narrow({AnswerForm::kRounded, 1, 0}, decimals),
              FailsWith(ErrorCode::kRefused, HasSubstr("2 decimals")));
  EXPECT_THAT(narrow({AnswerForm::kTop1, 0, 0}, decimals), Fails(ErrorCode::kRefused));
  Narrowing budget;
  budget.query_budget = 11;
  EXPECT_THAT(narrow({AnswerForm::kTop1, 0, 10}, budget), Fails(ErrorCode::kRefused));
}

TEST(Narrowing, NamesOutputsThatAreDeclared) {
  Narrowing narrowing;
  EXPECT_THAT(narrow_outputs({"a", "b"}, narrowing).value(), ElementsAre("a", "b"));
  narrowing.outputs = {"b"};
  EXPECT_THAT(narrow_outputs({"a", "b"}, narrowing).value(), ElementsAre("b"));
  narrowing.outputs = {"hidden"};
  EXPECT_THAT(narrow_outputs({"a", "b"}, narrowing),
              FailsWith(ErrorCode::kRefused, HasSubstr("hidden")));
}

}  // namespace
}  // namespace sealpack::loader
