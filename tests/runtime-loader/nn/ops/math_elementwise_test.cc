// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "tests/runtime-loader/nn/ops/math_call.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using testing::Call;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNaN = std::nanf("");

TEST(Broadcasting, StretchesDimensionsOfOneOnBothSides) {
  Call call("Add");
  call.input<float>({2, 1}, {10, 20}).input<float>({3}, {1, 2, 3});
  EXPECT_EQ(call.shape(), "[2,3]");
  EXPECT_THAT(call.values<float>(), ElementsAre(11, 12, 13, 21, 22, 23));
}

TEST(Broadcasting, WalksAnAxisThatOnlyOneSideHasBetweenTwoThatBothHave) {
  Call call("Sub");
  call.input<std::int32_t>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  call.input<std::int32_t>({2, 1, 2}, {1, 2, 3, 4});
  EXPECT_THAT(call.values<std::int32_t>(), ElementsAre(0, 0, 2, 2, 2, 2, 4, 4));
}

TEST(Broadcasting, OfAnEmptyTensorIsEmpty) {
  Call call("Mul");
  call.input<float>({0, 3}, {}).input<float>({1, 1}, {2});
  EXPECT_EQ(call.shape(), "[0,3]");
  EXPECT_THAT(call.values<float>(), IsEmpty());
}

TEST(Broadcasting, RefusesDimensionsThatDiffer) {
  EXPECT_THAT(Call("Add").zeros(DType::kF32, {2, 3}).zeros(DType::kF32, {2, 2}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("[2,3]")));
  EXPECT_THAT(Call("Add").zeros(DType::kF32, {0}).zeros(DType::kF32, {2}).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(Broadcasting, RefusesAnOutputThatIsTooLarge) {
  constexpr std::int64_t kMany = std::int64_t{1} << 30;
  EXPECT_THAT(
      Call("Add").typed_only(DType::kF32, {kMany, 1}).typed_only(DType::kF32, {kMany}).infer(),
      Fails(ErrorCode::kLimit));
}

TEST(Elementwise, RefusesTypesThatDifferOrThatTheOperatorLacks) {
  EXPECT_THAT(Call("Add").zeros(DType::kF32, {1}).zeros(DType::kF64, {1}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("float64")));
  EXPECT_THAT(Call("Add").zeros(DType::kBool, {1}).zeros(DType::kBool, {1}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("bool")));
  EXPECT_THAT(Call("Exp").zeros(DType::kI32, {1}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Neg").zeros(DType::kU8, {1}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("And").zeros(DType::kU8, {1}).zeros(DType::kU8, {1}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Not").zeros(DType::kF32, {1}).infer(), Fails(ErrorCode::kMalformed));
}

TEST(Elementwise, RefusesAttributesOfAnotherKindOrName) {
  EXPECT_THAT(Call("LeakyRelu").zeros(DType::kF32, {1}).with("alpha", 1).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("alpha")));
  EXPECT_THAT(Call("IsInf").zeros(DType::kF32, {1}).with("detect_negative", 2).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Relu").zeros(DType::kF32, {1}).with("alpha", 1.0F).infer(),
              Fails(ErrorCode::kUnsupported));
}

TEST(Integers, WrapAroundInsteadOfOverflowing) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::lowest();
  EXPECT_THAT(Call("Add")
                  .input<std::int32_t>({1}, {kMost})
                  .input<std::int32_t>({1}, {1})
                  .values<std::int32_t>(),
              ElementsAre(kLeast));
  EXPECT_THAT(
      Call("Mul").input<std::int8_t>({1}, {100}).input<std::int8_t>({1}, {3}).values<std::int8_t>(),
      ElementsAre(44));
  EXPECT_THAT(Call("Sub")
                  .input<std::uint16_t>({1}, {0})
                  .input<std::uint16_t>({1}, {1})
                  .values<std::uint16_t>(),
              ElementsAre(65535));
  EXPECT_THAT(Call("Abs").input<std::int32_t>({1}, {kLeast}).values<std::int32_t>(),
              ElementsAre(kLeast));
  EXPECT_THAT(Call("Neg").input<std::int32_t>({1}, {kLeast}).values<std::int32_t>(),
              ElementsAre(kLeast));
}

TEST(Division, OfIntegersCutsTowardsZero) {
  EXPECT_THAT(Call("Div")
                  .input<std::int32_t>({4}, {7, -7, 7, -7})
                  .input<std::int32_t>({4}, {2, 2, -2, -2})
                  .values<std::int32_t>(),
              ElementsAre(3, -3, -3, 3));
}

TEST(Division, OfTheLeastIntegerByMinusOneIsDefined) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::lowest();
  EXPECT_THAT(Call("Div")
                  .input<std::int64_t>({1}, {kLeast})
                  .input<std::int64_t>({}, {-1})
                  .values<std::int64_t>(),
              ElementsAre(kLeast));
  EXPECT_THAT(Call("Mod")
                  .input<std::int64_t>({1}, {kLeast})
                  .input<std::int64_t>({}, {-1})
                  .values<std::int64_t>(),
              ElementsAre(0));
}

TEST(Division, OfIntegersByZeroIsRefused) {
  for (const char* op : {"Div", "Mod"}) {
    EXPECT_THAT(Call(op).input<std::int32_t>({2}, {1, 2}).input<std::int32_t>({2}, {1, 0}).run(),
                FailsWith(ErrorCode::kMalformed, HasSubstr("by 0")));
    EXPECT_THAT(Call(op).input<std::uint8_t>({1}, {1}).input<std::uint8_t>({1}, {0}).run(),
                Fails(ErrorCode::kMalformed));
  }
}

TEST(Division, OfFloatsByZeroIsInfinite) {
  EXPECT_THAT(Call("Div").input<float>({2}, {1, -1}).input<float>({}, {0}).values<float>(),
              ElementsAre(kInfinity, -kInfinity));
}

TEST(Mod, HasTheSignOfTheDivisorOrWithFmodOfTheDividend) {
  Call call("Mod");
  call.input<std::int8_t>({4}, {7, -7, 7, -7}).input<std::int8_t>({4}, {3, 3, -3, -3});
  EXPECT_THAT(call.values<std::int8_t>(), ElementsAre(1, 2, -2, -1));
  EXPECT_THAT(call.with("fmod", 1).values<std::int8_t>(), ElementsAre(1, -1, 1, -1));
}

TEST(Mod, OfFloatsNeedsFmod) {
  EXPECT_THAT(Call("Mod").zeros(DType::kF32, {1}).zeros(DType::kF32, {1}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("fmod")));
}

TEST(BitShift, ByTheWidthOrMoreLeavesNothing) {
  Call call("BitShift");
  call.with("direction", "LEFT");
  call.input<std::uint8_t>({4}, {255, 255, 255, 255}).input<std::uint8_t>({4}, {0, 7, 8, 255});
  EXPECT_THAT(call.values<std::uint8_t>(), ElementsAre(255, 128, 0, 0));
  EXPECT_THAT(Call("BitShift")
                  .with("direction", "RIGHT")
                  .input<std::uint64_t>({2}, {~std::uint64_t{0}, 1})
                  .input<std::uint64_t>({2}, {63, 64})
                  .values<std::uint64_t>(),
              ElementsAre(1, 0));
}

TEST(BitShift, RefusesADirectionOrTypeThatIsNotThere) {
  EXPECT_THAT(Call("BitShift").zeros(DType::kU8, {1}).zeros(DType::kU8, {1}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("direction")));
  EXPECT_THAT(Call("BitShift")
                  .zeros(DType::kU8, {1})
                  .zeros(DType::kU8, {1})
                  .with("direction", "UP")
                  .infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'UP'")));
  EXPECT_THAT(Call("BitShift")
                  .zeros(DType::kI8, {1})
                  .zeros(DType::kI8, {1})
                  .with("direction", "LEFT")
                  .infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(Pow, OfIntegersWrapsAndInvertsTowardsZero) {
  EXPECT_THAT(Call("Pow")
                  .input<std::int32_t>({7}, {2, -3, 2, -1, -1, 0, 3})
                  .input<std::int64_t>({7}, {31, 3, -1, -3, -2, -1, 0})
                  .values<std::int32_t>(),
              ElementsAre(std::numeric_limits<std::int32_t>::lowest(), -27, 0, -1, 1, 0, 1));
}

TEST(Pow, MixesTypesAndSaturatesWhatDoesNotFit) {
  EXPECT_THAT(Call("Pow")
                  .input<std::int32_t>({3}, {4, 10, -10})
                  .input<float>({3}, {0.5F, 20, 21})
                  .values<std::int32_t>(),
              ElementsAre(2, std::numeric_limits<std::int32_t>::max(),
                          std::numeric_limits<std::int32_t>::lowest()));
  EXPECT_THAT(Call("Pow").input<float>({2}, {2, 3}).input<std::uint8_t>({}, {2}).values<float>(),
              ElementsAre(4, 9));
}

TEST(Rounding, GoesToTheEvenNeighbour) {
  EXPECT_THAT(
      Call("Round").input<float>({6}, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 2.4F}).values<float>(),
      ElementsAre(0, 2, 2, 0, -2, 2));
}

TEST(HalfPrecision, ComputesInFloatAndRoundsOnce) {
  EXPECT_THAT(Call("Add")
                  .input<Float16>({2}, {2048, 1})
                  .input<Float16>({2}, {1, 0.0004F})
                  .values<Float16>(),
              ElementsAre(2048, 1));
  EXPECT_THAT(Call("Mul")
                  .input<BFloat16>({1}, {1.0078125F})
                  .input<BFloat16>({1}, {1.0078125F})
                  .values<BFloat16>(),
              ElementsAre(1.015625F));
}

TEST(Booleans, CountAnyByteButZeroAsTrue) {
  Call call("Xor");
  call.input<std::uint8_t>({2}, {2, 0});  // refused: bytes are not booleans
  call.input<Boolean>({2}, {true, false});
  EXPECT_THAT(call.infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Not").input<Boolean>({2}, {true, false}).values<Boolean>(),
              ElementsAre(false, true));
  EXPECT_EQ(load(Boolean{2}), load(Boolean{1}));
}

TEST(Comparison, OfNaNIsFalseExceptThatItDiffers) {
  for (const char* op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}) {
    EXPECT_THAT(Call(op).input<float>({1}, {kNaN}).input<float>({1}, {1}).values<Boolean>(),
                ElementsAre(false))
        << op;
  }
}

TEST(Comparison, IsExactInSixtyFourBits) {
  constexpr std::int64_t kLarge = (std::int64_t{1} << 53) + 1;
  EXPECT_THAT(Call("Equal")
                  .input<std::int64_t>({1}, {kLarge})
                  .input<std::int64_t>({1}, {kLarge - 1})
                  .values<Boolean>(),
              ElementsAre(false));
}

TEST(Comparison, CameWithItsOpset) {
  EXPECT_THAT(Call("LessOrEqual", 11).zeros(DType::kF32, {1}).zeros(DType::kF32, {1}).infer(),
              Fails(ErrorCode::kUnsupported));
}

TEST(Extremes, GiveNaNWhereAnyInputIsNaN) {
  for (const char* op : {"Max", "Min"}) {
    const std::vector<float> values =
        Call(op).input<float>({2}, {kNaN, 1}).input<float>({2}, {0, kNaN}).values<float>();
    ASSERT_EQ(values.size(), 2U);
    EXPECT_TRUE(std::isnan(values[0]));
    EXPECT_TRUE(std::isnan(values[1]));
  }
}

TEST(Variadic, FoldsInputsOfAllShapes) {
  EXPECT_THAT(Call("Sum")
                  .input<float>({}, {1})
                  .input<float>({2, 1}, {10, 20})
                  .input<float>({2}, {100, 200})
                  .values<float>(),
              ElementsAre(111, 211, 121, 221));
  EXPECT_THAT(Call("Mean").input<float>({2}, {1, 2}).input<float>({1}, {3}).values<float>(),
              ElementsAre(2, 2.5F));
}

TEST(Variadic, RefusesNoInputAndAHole) {
  EXPECT_THAT(Call("Sum").infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Max").zeros(DType::kF32, {1}).no_input().infer(), Fails(ErrorCode::kMalformed));
}

TEST(Clip, GivesTheUpperBoundWhereTheBoundsCross) {
  EXPECT_THAT(Call("Clip")
                  .input<float>({3}, {-1, 1, 5})
                  .input<float>({}, {3})
                  .input<float>({}, {2})
                  .values<float>(),
              ElementsAre(2, 2, 2));
  EXPECT_THAT(Call("Clip")
                  .input<std::int8_t>({2}, {-100, 100})
                  .no_input()
                  .input<std::int8_t>({}, {7})
                  .values<std::int8_t>(),
              ElementsAre(-100, 7));
  EXPECT_THAT(Call("Clip", 6).input<float>({2}, {-3, 3}).with("min", -1.0F).values<float>(),
              ElementsAre(-1, 3));
}

TEST(Clip, RefusesBoundsThatAreNoScalarsOrOfAnotherType) {
  EXPECT_THAT(Call("Clip").zeros(DType::kF32, {3}).zeros(DType::kF32, {3}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("scalar")));
  EXPECT_THAT(Call("Clip").zeros(DType::kF32, {3}).zeros(DType::kF32, {0}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Clip").zeros(DType::kF32, {3}).zeros(DType::kF64, {}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Clip", 12).zeros(DType::kF32, {3}).with("min", 1.0F).infer(),
              Fails(ErrorCode::kUnsupported));
}

TEST(Activations, StayFiniteWhereTheExponentialDoesNot) {
  EXPECT_THAT(Call("Sigmoid").input<float>({2}, {-1000, 1000}).values<float>(), ElementsAre(0, 1));
  EXPECT_THAT(Call("Softplus").input<float>({2}, {-1000, 1000}).values<float>(),
              ElementsAre(0, 1000));
}

TEST(Activations, KeepNaN) {
  for (const char* op : {"Relu", "LeakyRelu", "Elu", "HardSigmoid", "HardSwish", "Selu",
                         "ThresholdedRelu", "Sigmoid", "Softplus", "Celu"}) {
    const std::vector<float> values = Call(op).input<float>({1}, {kNaN}).values<float>();
    ASSERT_EQ(values.size(), 1U);
    EXPECT_TRUE(std::isnan(values[0])) << op;
  }
}

TEST(Activations, FollowTheirFormulas) {
  EXPECT_THAT(Call("HardSwish").input<float>({3}, {-4, 1, 4}).values<float>(),
              ElementsAre(0, FloatEq(2.0F / 3), 4));
  EXPECT_THAT(Call("ThresholdedRelu").input<float>({2}, {1, 1.5F}).values<float>(),
              ElementsAre(0, 1.5F));
  EXPECT_THAT(Call("Shrink")
                  .input<std::int8_t>({3}, {-128, 0, 5})
                  .with("bias", 100.0F)
                  .with("lambd", 1.0F)
                  .values<std::int8_t>(),
              ElementsAre(-28, 0, -95));
  EXPECT_THAT(Call("Elu").input<float>({1}, {-1}).with("alpha", 2.0F).values<float>(),
              ElementsAre(FloatNear(-1.264241F, 1e-6F)));
}

TEST(PRelu, StretchesTheSlopeOnly) {
  EXPECT_THAT(Call("PRelu")
                  .input<float>({2, 2}, {-1, 1, -2, 2})
                  .input<float>({2, 1}, {10, 100})
                  .values<float>(),
              ElementsAre(-10, 1, -200, 2));
  EXPECT_THAT(Call("PRelu").zeros(DType::kF32, {2}).zeros(DType::kF32, {2, 2}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("slope")));
}

TEST(Saturation, MapsEveryDoubleToAnInteger) {
  EXPECT_EQ(saturate<std::int64_t>(9.3e18), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(saturate<std::int64_t>(-9.3e18), std::numeric_limits<std::int64_t>::lowest());
  EXPECT_EQ(saturate<std::uint64_t>(1.9e19), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(saturate<std::uint64_t>(-0.5), 0U);
  EXPECT_EQ(saturate<std::uint8_t>(255.9F), 255);
  EXPECT_EQ(saturate<std::int8_t>(static_cast<double>(kNaN)), 0);
  EXPECT_EQ(saturate<std::int8_t>(static_cast<double>(-kInfinity)), -128);
  EXPECT_EQ(saturate<std::int32_t>(2147483647.0), 2147483647);
}

}  // namespace
}  // namespace sealpack::nn
