// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/runtime-loader/nn/ops/math_call.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using testing::Call;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Conv, SumsChannelsInsideTapsAsOneChain) {
  // Two channels, a kernel of two taps, one output: the order shows in the rounding.
  const std::vector<float> x = {1e8F, 1, -1e8F, 3};  // [1, 2, 2]
  const std::vector<float> w = {1, 0.3F, 1, 7};      // [1, 2, 2]
  float sum = 0;
  for (const std::size_t at : {0U, 2U, 1U, 3U}) sum = std::fma(x[at], w[at], sum);
  EXPECT_THAT(Call("Conv").input<float>({1, 2, 2}, x).input<float>({1, 2, 2}, w).values<float>(),
              ElementsAre(sum));
}

TEST(Conv, KeepsGroupsApart) {
  Call call("Conv");
  call.input<float>({1, 2, 2}, {1, 2, 30, 40}).input<float>({4, 1, 1}, {1, 2, 3, 4});
  call.input<float>({4}, {0, 0, 0, 1000}).with("group", 2);
  EXPECT_THAT(call.values<float>(), ElementsAre(1, 2, 2, 4, 90, 120, 1120, 1160));
}

TEST(Conv, PadsWithZerosOnTheSidesAsked) {
  Call call("Conv");
  call.input<double>({1, 1, 2, 2}, {1, 2, 3, 4}).input<double>({1, 1, 2, 2}, {1, 10, 100, 1000});
  call.list("pads", {1, 0, 0, 1});
  EXPECT_THAT(call.values<double>(), ElementsAre(2100, 200, 4321, 402));
}

TEST(Conv, OfAnEmptyBatchIsEmptyAndOfNoChannelsIsTheBias) {
  EXPECT_THAT(
      Call("Conv").zeros(DType::kF32, {0, 1, 3}).zeros(DType::kF32, {2, 1, 2}).values<float>(),
      IsEmpty());
  EXPECT_THAT(Call("Conv")
                  .zeros(DType::kF32, {1, 0, 3})
                  .zeros(DType::kF32, {1, 0, 2})
                  .input<float>({1}, {5})
                  .values<float>(),
              ElementsAre(5, 5));
}

TEST(Conv, SeesNothingButPaddingOfAnEmptyImage) {
  EXPECT_THAT(Call("Conv")
                  .zeros(DType::kF32, {1, 1, 0})
                  .input<float>({1, 1, 2}, {1, 1})
                  .list("pads", {1, 1})
                  .values<float>(),
              ElementsAre(0));
}

TEST(Conv, RefusesGroupsThatDoNotDivide) {
  const auto conv = [](Shape x, Shape w, std::int64_t groups) {
    return Call("Conv").zeros(DType::kF32, x).zeros(DType::kF32, w).with("group", groups).infer();
  };
  EXPECT_THAT(conv({1, 4, 5}, {4, 2, 3}, 2), ::sealpack::testing::Succeeds());
  EXPECT_THAT(conv({1, 4, 5}, {4, 2, 3}, 0), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv({1, 4, 5}, {4, 2, 3}, -2), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv({1, 4, 5}, {3, 2, 3}, 2), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv({1, 5, 5}, {4, 2, 3}, 2), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(conv({1, 4, 5}, {4, 4, 3}, 2), FailsWith(ErrorCode::kMalformed, HasSubstr("group")));
  // So many groups of nothing would be counted for ever.
  EXPECT_THAT(conv({1, 0, 5}, {0, 0, 3}, std::int64_t{1} << 60), Fails(ErrorCode::kMalformed));
}

TEST(Conv, RefusesWeightsAndBiasOfAnotherShape) {
  EXPECT_THAT(Call("Conv").zeros(DType::kF32, {1, 1, 5, 5}).zeros(DType::kF32, {1, 1, 3}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Conv").zeros(DType::kF32, {1, 5}).zeros(DType::kF32, {1, 5}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Conv")
                  .zeros(DType::kF32, {1, 1, 5})
                  .zeros(DType::kF32, {2, 1, 3})
                  .zeros(DType::kF32, {1})
                  .infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("float32[2]")));
  EXPECT_THAT(Call("Conv").zeros(DType::kF32, {1, 1, 5}).zeros(DType::kF16, {2, 1, 3}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Conv").zeros(DType::kI32, {1, 1, 5}).zeros(DType::kI32, {2, 1, 3}).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(Conv, RefusesAnOutputThatIsTooLarge) {
  EXPECT_THAT(Call("Conv")
                  .typed_only(DType::kF32, {std::int64_t{1} << 20, 1, 1})
                  .typed_only(DType::kF32, {std::int64_t{1} << 30, 1, 1})
                  .infer(),
              Fails(ErrorCode::kLimit));
}

TEST(ConvTranspose, SpreadsEachInputOverItsKernel) {
  Call call("ConvTranspose");
  call.input<float>({1, 1, 3}, {1, 2, 3}).input<float>({1, 2, 2}, {1, 10, 100, 1000});
  call.list("strides", {2}).list("output_padding", {1}).input<float>({2}, {0, 5});
  EXPECT_EQ(call.shape(), "[1,2,7]");
  EXPECT_THAT(call.values<float>(),
              ElementsAre(1, 10, 2, 20, 3, 30, 0, 105, 1005, 205, 2005, 305, 3005, 5));
}

TEST(ConvTranspose, OverlapsWhereTheStrideIsShort) {
  EXPECT_THAT(Call("ConvTranspose")
                  .input<float>({1, 1, 3}, {1, 2, 3})
                  .input<float>({1, 1, 2}, {1, 10})
                  .list("pads", {1, 0})
                  .values<float>(),
              ElementsAre(12, 23, 30));
}

TEST(ConvTranspose, RefusesWeightsOfOtherChannels) {
  EXPECT_THAT(
      Call("ConvTranspose").zeros(DType::kF32, {1, 4, 5}).zeros(DType::kF32, {2, 4, 3}).infer(),
      Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("ConvTranspose")
                  .zeros(DType::kF32, {1, 4, 5})
                  .zeros(DType::kF32, {4, 2, 3})
                  .with("group", 3)
                  .infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(ConvInteger, PadsWithTheZeroPoint) {
  Call call("ConvInteger");
  call.input<std::uint8_t>({1, 1, 2}, {10, 12}).input<std::int8_t>({2, 1, 2}, {1, 2, 3, 4});
  call.input<std::uint8_t>({}, {10}).input<std::int8_t>({2}, {0, 1}).list("pads", {1, 1});
  EXPECT_THAT(call.values<std::int32_t>(), ElementsAre(0, 4, 2, 0, 6, 4));
}

TEST(QLinearConv, AddsTheBiasBeforeItScales) {
  Call call("QLinearConv");
  call.input<std::uint8_t>({1, 1, 2}, {3, 250})
      .input<float>({}, {0.5F})
      .input<std::uint8_t>({}, {1});
  call.input<std::int8_t>({1, 1, 1}, {2}).input<float>({1}, {0.5F}).input<std::int8_t>({1}, {0});
  call.input<float>({}, {1}).input<std::int8_t>({}, {-3}).input<std::int32_t>({1}, {6});
  EXPECT_THAT(call.values<std::int8_t>(), ElementsAre(-1, 123));  // 2.5 to 2; 126
}

TEST(QLinearConv, RefusesScalesThatAreNotOneOrOneAChannel) {
  Call call("QLinearConv");
  call.zeros(DType::kU8, {1, 1, 4}).zeros(DType::kF32, {}).zeros(DType::kU8, {});
  call.zeros(DType::kU8, {2, 1, 1}).zeros(DType::kF32, {3}).zeros(DType::kU8, {});
  call.zeros(DType::kF32, {}).zeros(DType::kU8, {});
  EXPECT_THAT(call.infer(), FailsWith(ErrorCode::kMalformed, HasSubstr("[3]")));
}

TEST(MaxPool, FindsTheFirstGreatestAndNumbersItInTheWholeTensor) {
  Call call("MaxPool");
  call.input<float>({1, 2, 2, 2}, {1, 4, 4, 2, 5, 6, 7, 8}).list("kernel_shape", {2, 2}).outputs(2);
  EXPECT_THAT(call.values<float>(0), ElementsAre(4, 8));
  EXPECT_THAT(call.values<std::int64_t>(1), ElementsAre(1, 7));
  call.with("storage_order", 1);
  EXPECT_THAT(call.values<std::int64_t>(1), ElementsAre(2, 7));
}

TEST(MaxPool, IgnoresPaddingEvenForNegativeNumbers) {
  EXPECT_THAT(Call("MaxPool")
                  .input<std::int8_t>({1, 1, 2}, {-5, -7})
                  .list("kernel_shape", {2})
                  .list("pads", {1, 1})
                  .values<std::int8_t>(),
              ElementsAre(-5, -5, -7));
}

TEST(MaxPool, OfAWindowThatMeetsNothingIsTheLeastNumber) {
  Call call("MaxPool");
  call.zeros(DType::kU8, {1, 1, 1}).list("kernel_shape", {2}).list("dilations", {3});
  call.list("pads", {1, 2}).outputs(2);
  EXPECT_THAT(call.values<std::uint8_t>(0), ElementsAre(0));
  Call empty("MaxPool");
  empty.zeros(DType::kF32, {1, 1, 0}).list("kernel_shape", {2}).list("pads", {1, 1}).outputs(2);
  EXPECT_THAT(empty.values<std::int64_t>(1), ElementsAre(0));
  EXPECT_THAT(empty.with("storage_order", 1).values<float>(0), ElementsAre(-INFINITY));
}

TEST(MaxPool, GivesNaNWhereAWindowHasOne) {
  const std::vector<float> values = Call("MaxPool")
                                        .input<float>({1, 1, 3}, {1, NAN, 2})
                                        .list("kernel_shape", {2})
                                        .values<float>();
  ASSERT_EQ(values.size(), 2U);
  EXPECT_TRUE(std::isnan(values[0]) && std::isnan(values[1]));
}

TEST(AveragePool, DividesByWhatItSawOrByTheWindowWithItsPadding) {
  Call call("AveragePool");
  call.input<float>({1, 1, 2}, {2, 4}).list("kernel_shape", {2}).list("pads", {1, 1});
  EXPECT_THAT(call.values<float>(), ElementsAre(2, 3, 4));
  EXPECT_THAT(call.with("count_include_pad", 1).values<float>(), ElementsAre(1, 3, 2));
}

TEST(AveragePool, DoesNotCountWhatLiesBeyondThePadding) {
  EXPECT_THAT(Call("AveragePool")
                  .input<float>({1, 1, 3}, {2, 4, 6})
                  .list("kernel_shape", {2})
                  .list("strides", {2})
                  .with("ceil_mode", 1)
                  .with("count_include_pad", 1)
                  .values<float>(),
              ElementsAre(3, 6));
}

TEST(Pooling, RefusesImagesAndAttributesThatItCannotTake) {
  EXPECT_THAT(Call("MaxPool").zeros(DType::kF32, {1, 5}).list("kernel_shape", {2}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("MaxPool").zeros(DType::kI32, {1, 1, 5}).list("kernel_shape", {2}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("MaxPool", 8)
                  .zeros(DType::kF32, {1, 1, 5})
                  .list("kernel_shape", {2})
                  .with("ceil_mode", 1)
                  .infer(),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(
      Call("LpPool").zeros(DType::kF32, {1, 1, 5}).list("kernel_shape", {2}).with("p", 0).infer(),
      Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("GlobalMaxPool").zeros(DType::kF32, {1, 5}).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(Pooling, WithAHugeWindowTakesNoLonger) {
  Call call("MaxPool");
  call.input<float>({1, 1, 1, 2}, {3, 4}).list("kernel_shape", {1 << 20, 1 << 20});
  call.list("pads", {1 << 19, 1 << 19, 1 << 19, 1 << 19});
  EXPECT_THAT(call.values<float>(), Each(4));
}

TEST(GlobalPooling, WorksOnEachPlane) {
  EXPECT_THAT(Call("GlobalAveragePool").input<float>({1, 2, 2}, {1, 3, 10, 20}).values<float>(),
              ElementsAre(2, 15));
  EXPECT_THAT(Call("GlobalLpPool").input<float>({1, 1, 2}, {3, -4}).values<float>(),
              ElementsAre(5));
  EXPECT_THAT(Call("GlobalMaxPool").zeros(DType::kF32, {1, 1, 0}).values<float>(),
              ElementsAre(-INFINITY));
}

TEST(MaxUnpool, UndoesAMaxPool) {
  EXPECT_THAT(Call("MaxUnpool")
                  .input<float>({1, 1, 2}, {7, 8})
                  .input<std::int64_t>({1, 1, 2}, {1, 2})
                  .list("kernel_shape", {2})
                  .list("strides", {2})
                  .values<float>(),
              ElementsAre(0, 7, 8, 0));
  EXPECT_THAT(Call("MaxUnpool")
                  .input<float>({1, 1, 2}, {7, 8})
                  .input<std::int64_t>({1, 1, 2}, {1, 4})
                  .input<std::int64_t>({3}, {1, 1, 5})
                  .list("kernel_shape", {2})
                  .values<float>(),
              ElementsAre(0, 7, 0, 0, 8));
}

TEST(MaxUnpool, RefusesIndicesOutsideItsOutput) {
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{4}, INT64_MAX, INT64_MIN}) {
    EXPECT_THAT(Call("MaxUnpool")
                    .input<float>({1, 1, 2}, {7, 8})
                    .input<std::int64_t>({1, 1, 2}, {0, index})
                    .list("kernel_shape", {2})
                    .list("strides", {2})
                    .run(),
                FailsWith(ErrorCode::kMalformed, HasSubstr("index")));
  }
}

TEST(MaxUnpool, NeedsToKnowAnOutputShapeThatIsAnInput) {
  EXPECT_THAT(Call("MaxUnpool")
                  .zeros(DType::kF32, {1, 1, 2})
                  .zeros(DType::kI64, {1, 1, 2})
                  .typed_only(DType::kI64, {3})
                  .list("kernel_shape", {2})
                  .infer(),
              Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::nn
