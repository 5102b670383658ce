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
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::IsNan;

TEST(Reduce, WorksAlongTheAxesThatAreNamed) {
  Call call("ReduceSum", 11);
  call.input<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}).list("axes", {0, -1});
  EXPECT_EQ(call.shape(), "[1,2,1]");
  EXPECT_THAT(call.values<float>(), ElementsAre(14, 22));
  call.with("keepdims", 0);
  EXPECT_EQ(call.shape(), "[2]");
}

TEST(Reduce, WithoutAxesMeansAllOrNone) {
  Call all("ReduceSum");
  all.input<std::int64_t>({2, 2}, {1, 2, 3, 4}).input<std::int64_t>({0}, {});
  EXPECT_THAT(all.values<std::int64_t>(), ElementsAre(10));
  EXPECT_THAT(all.with("noop_with_empty_axes", 1).values<std::int64_t>(), ElementsAre(1, 2, 3, 4));
}

TEST(Reduce, RefusesAxesThatAreNotThereOrTwice) {
  for (const std::vector<std::int64_t>& axes :
       {std::vector<std::int64_t>{2}, {-3}, {0, 0}, {1, -1}, {INT64_MIN}}) {
    EXPECT_THAT(Call("ReduceMax").zeros(DType::kF32, {2, 2}).list("axes", axes).infer(),
                Fails(ErrorCode::kMalformed));
  }
  EXPECT_THAT(Call("ReduceSum").zeros(DType::kF32, {2}).list("axes", {0}).infer(),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(Call("ReduceSum").zeros(DType::kF32, {2}).zeros(DType::kI32, {1}).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("ReduceSum").zeros(DType::kF32, {2}).typed_only(DType::kI64, {1}).infer(),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("axes")));
}

TEST(Reduce, OfNothingIsTheNeutralElement) {
  const auto empty = [](const char* op) {
    return Call(op, 11).zeros(DType::kF32, {2, 0}).list("axes", {1}).values<float>();
  };
  EXPECT_THAT(empty("ReduceSum"), Each(0));
  EXPECT_THAT(empty("ReduceProd"), Each(1));
  EXPECT_THAT(empty("ReduceMax"), Each(-INFINITY));
  EXPECT_THAT(empty("ReduceMin"), Each(INFINITY));
  EXPECT_THAT(empty("ReduceMean"), Each(IsNan()));
  EXPECT_THAT(empty("ReduceLogSumExp"), Each(-INFINITY));
  EXPECT_THAT(Call("ReduceMean").zeros(DType::kI32, {0}).values<std::int32_t>(), ElementsAre(0));
  EXPECT_THAT(Call("ReduceMax").zeros(DType::kI8, {0}).values<std::int8_t>(), ElementsAre(-128));
}

TEST(Reduce, FollowsTheFormulas) {
  const auto reduced = [](const char* op) {
    return Call(op, 11).input<float>({2}, {3, -4}).values<float>();
  };
  EXPECT_THAT(reduced("ReduceL1"), ElementsAre(7));
  EXPECT_THAT(reduced("ReduceL2"), ElementsAre(5));
  EXPECT_THAT(reduced("ReduceSumSquare"), ElementsAre(25));
  EXPECT_THAT(reduced("ReduceMean"), ElementsAre(-0.5F));
  EXPECT_THAT(Call("ReduceLogSum").input<float>({2}, {1, 1}).values<float>(),
              ElementsAre(FloatNear(0.693147F, 1e-6F)));
}

TEST(Reduce, LogSumExpDoesNotOverflow) {
  EXPECT_THAT(Call("ReduceLogSumExp").input<float>({2}, {1000, 1000}).values<float>(),
              ElementsAre(FloatNear(1000.693147F, 1e-3F)));
}

TEST(Reduce, WrapsIntegersAndCutsTheirMean) {
  EXPECT_THAT(Call("ReduceSum", 11).input<std::int32_t>({2}, {INT32_MAX, 1}).values<std::int32_t>(),
              ElementsAre(INT32_MIN));
  EXPECT_THAT(Call("ReduceMean").input<std::int32_t>({2}, {-3, -4}).values<std::int32_t>(),
              ElementsAre(-3));
  EXPECT_THAT(Call("ReduceL1").input<std::int32_t>({2}, {INT32_MIN, 0}).values<std::int32_t>(),
              ElementsAre(INT32_MIN));
}

TEST(Softmax, CutsTheTensorInTwoBeforeOpsetThirteen) {
  const std::vector<float> x = {0, 0, 0, 0};
  EXPECT_THAT(Call("Softmax", 11).input<float>({1, 2, 2}, x).values<float>(), Each(0.25F));
  EXPECT_THAT(Call("Softmax", 13).input<float>({1, 2, 2}, x).values<float>(), Each(0.5F));
  EXPECT_THAT(Call("Softmax", 11).input<float>({4}, x).values<float>(), Each(1.0F));
}

TEST(Softmax, WorksAlongAnAxisInside) {
  EXPECT_THAT(Call("Hardmax").input<float>({2, 2}, {1, 5, 2, 5}).with("axis", 0).values<float>(),
              ElementsAre(0, 1, 1, 0));
}

TEST(Softmax, StaysFiniteForLargeNumbers) {
  EXPECT_THAT(Call("Softmax").input<float>({2}, {1e30F, 0}).values<float>(), ElementsAre(1, 0));
  EXPECT_THAT(Call("LogSoftmax").input<float>({2}, {1e4F, 0}).values<float>(),
              ElementsAre(0, -1e4F));
}

TEST(Softmax, RefusesAnAxisThatIsNotThere) {
  for (const std::int64_t axis : {2, -3}) {
    EXPECT_THAT(Call("Softmax").zeros(DType::kF32, {2, 2}).with("axis", axis).infer(),
                FailsWith(ErrorCode::kMalformed, HasSubstr("axis")));
  }
  EXPECT_THAT(Call("Softmax").zeros(DType::kF32, {}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("Softmax", 11).zeros(DType::kF32, {2, 2}).with("axis", 3).infer(),
              Fails(ErrorCode::kMalformed));
}

Call batch_norm(std::int64_t opset = 15) {
  Call call("BatchNormalization", opset);
  call.input<float>({1, 2, 1}, {3, 10}).input<float>({2}, {1, 2}).input<float>({2}, {0, 1});
  call.input<float>({2}, {1, 10}).input<float>({2}, {4, 1}).with("epsilon", 0.0F);
  return call;
}

TEST(BatchNormalization, UsesTheStatisticsItIsGiven) {
  EXPECT_THAT(batch_norm().values<float>(), ElementsAre(1, 1));
}

TEST(BatchNormalization, RefusesToTrain) {
  EXPECT_THAT(batch_norm().with("training_mode", 1).infer(),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("training_mode")));
  EXPECT_THAT(batch_norm(9).outputs(3).infer(), Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(batch_norm(13).with("training_mode", 0).infer(), Fails(ErrorCode::kUnsupported));
}

TEST(BatchNormalization, RefusesParametersOfAnotherCount) {
  Call call("BatchNormalization");
  call.zeros(DType::kF32, {1, 2, 1}).zeros(DType::kF32, {2}).zeros(DType::kF32, {2});
  call.zeros(DType::kF32, {1}).zeros(DType::kF32, {2});
  EXPECT_THAT(call.infer(), FailsWith(ErrorCode::kMalformed, HasSubstr("float32[1]")));
}

TEST(LayerNormalization, GivesMeanAndInverseDeviation) {
  Call call("LayerNormalization");
  call.input<float>({2, 2}, {1, 3, 5, 5}).input<float>({2}, {1, 10}).input<float>({1}, {100});
  call.with("epsilon", 1.0F).outputs(3);
  EXPECT_EQ(call.shape(1), "[2,1]");
  EXPECT_THAT(call.values<float>(1), ElementsAre(2, 5));
  EXPECT_THAT(call.values<float>(2), ElementsAre(FloatNear(0.70710678F, 1e-6F), 1));
  EXPECT_THAT(call.values<float>(0),
              ElementsAre(FloatNear(99.292893F, 1e-4F), FloatNear(107.07107F, 1e-4F), 100, 100));
}

TEST(LayerNormalization, OfNothingSaysSoInItsStatistics) {
  Call call("LayerNormalization");
  call.zeros(DType::kF32, {2, 0}).zeros(DType::kF32, {0}).outputs(3);
  EXPECT_THAT(call.values<float>(1), Each(IsNan()));
}

TEST(LayerNormalization, RefusesWhatItCannotTake) {
  const auto layer = [](Shape scale) {
    return Call("LayerNormalization").zeros(DType::kF32, {2, 3}).zeros(DType::kF32, scale);
  };
  EXPECT_THAT(layer({2}).infer(), FailsWith(ErrorCode::kMalformed, HasSubstr("broadcast")));
  EXPECT_THAT(layer({2, 3}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(layer({3}).with("axis", 2).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(layer({3}).with("epsilon", -1.0F).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(layer({3}).with("stash_type", 7).infer(), Fails(ErrorCode::kMalformed));
}

TEST(Normalizations, LeaveZerosAndConstantsFinite) {
  EXPECT_THAT(Call("LpNormalization").input<float>({2, 2}, {0, 0, 3, 4}).values<float>(),
              ElementsAre(0, 0, 0.6F, 0.8F));
  EXPECT_THAT(
      Call("MeanVarianceNormalization").input<float>({2}, {5, 5}).list("axes", {0}).values<float>(),
      ElementsAre(0, 0));
  EXPECT_THAT(Call("InstanceNormalization")
                  .input<float>({1, 1, 2}, {4, 4})
                  .input<float>({1}, {3})
                  .input<float>({1}, {7})
                  .values<float>(),
              ElementsAre(7, 7));
}

TEST(Normalizations, RefuseAxesAndOrdersThatAreNotThere) {
  EXPECT_THAT(Call("MeanVarianceNormalization").zeros(DType::kF32, {2, 2}).infer(),
              Fails(ErrorCode::kMalformed));  // axes 0, 2 and 3 by default
  EXPECT_THAT(Call("LpNormalization").zeros(DType::kF32, {2}).with("p", 3).infer(),
              Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("LRN").zeros(DType::kF32, {1, 2}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("LRN").zeros(DType::kF32, {1, 2}).with("size", -1).infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(LRN, SeesAsManyChannelsAsThereAre) {
  Call call("LRN");
  call.input<float>({1, 3, 1}, {1, 2, 3}).with("size", std::int64_t{1} << 62).with("beta", 1.0F);
  call.with("alpha", static_cast<float>(std::int64_t{1} << 62)).with("bias", 0.0F);
  EXPECT_THAT(call.values<float>(),
              ElementsAre(FloatNear(1.0F / 14, 1e-6F), FloatNear(2.0F / 14, 1e-6F),
                          FloatNear(3.0F / 14, 1e-6F)));
}

TEST(Quantize, RoundsToEvenAndSaturates) {
  Call call("QuantizeLinear");
  call.input<float>({6}, {1, 3, -1000, 1000, NAN, 5}).input<float>({}, {2});
  call.input<std::uint8_t>({}, {10});
  EXPECT_THAT(call.values<std::uint8_t>(), ElementsAre(10, 12, 0, 255, 0, 12));
}

TEST(Quantize, HasAScaleForEachIndexOfAnAxis) {
  EXPECT_THAT(Call("QuantizeLinear")
                  .input<float>({2, 2}, {1, 1, 1, 1})
                  .input<float>({2}, {1, 0.5F})
                  .with("axis", 0)
                  .values<std::uint8_t>(),
              ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(Call("DequantizeLinear")
                  .input<std::int8_t>({1, 2}, {5, -128})
                  .input<float>({2}, {1, 2})
                  .input<std::int8_t>({2}, {1, 127})
                  .values<float>(),
              ElementsAre(4, -510));
}

TEST(Quantize, DividesByAScaleOfZeroWithoutHarm) {
  EXPECT_THAT(Call("QuantizeLinear")
                  .input<float>({3}, {1, -1, 0})
                  .input<float>({}, {0})
                  .values<std::uint8_t>(),
              ElementsAre(255, 0, 0));
}

TEST(Quantize, RefusesScalesThatDoNotFit) {
  const auto quantize = [](Shape scale, std::int64_t opset) {
    return Call("QuantizeLinear", opset).zeros(DType::kF32, {2, 3}).zeros(DType::kF32, scale);
  };
  EXPECT_THAT(quantize({3}, 13).infer(), ::sealpack::testing::Succeeds());
  EXPECT_THAT(quantize({2}, 13).infer(), FailsWith(ErrorCode::kMalformed, HasSubstr("[2]")));
  EXPECT_THAT(quantize({3}, 12).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(quantize({1, 3}, 13).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(quantize({3}, 13).with("axis", 2).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(quantize({3}, 13).zeros(DType::kU8, {2}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(quantize({}, 13).zeros(DType::kI32, {}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Call("DequantizeLinear")
                  .zeros(DType::kU8, {2})
                  .zeros(DType::kF32, {})
                  .zeros(DType::kI8, {})
                  .infer(),
              Fails(ErrorCode::kMalformed));
}

TEST(DynamicQuantize, SpansTheRangeAndZero) {
  Call call("DynamicQuantizeLinear");
  call.input<float>({3}, {1, 2, 51}).outputs(3);
  EXPECT_THAT(call.values<std::uint8_t>(0), ElementsAre(5, 10, 255));
  EXPECT_THAT(call.values<float>(1), ElementsAre(FloatNear(0.2F, 1e-6F)));
  EXPECT_THAT(call.values<std::uint8_t>(2), ElementsAre(0));
  Call zeros("DynamicQuantizeLinear");
  zeros.zeros(DType::kF32, {2}).outputs(3);
  EXPECT_THAT(zeros.values<std::uint8_t>(0), ElementsAre(0, 0));
}

}  // namespace
}  // namespace sealpack::nn
