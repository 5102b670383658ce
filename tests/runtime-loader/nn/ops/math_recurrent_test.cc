// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "tests/runtime-loader/nn/ops/math_call.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using testing::Call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Names = std::vector<std::string>;

// Two sequences of three steps: h = x + h / 2, with Affine as the activation.
Call running_sum() {
  Call call("RNN");
  call.input<float>({3, 2, 1}, {1, 10, 2, 20, 4, 40});
  call.input<float>({1, 1, 1}, {1}).input<float>({1, 1, 1}, {0.5F});
  call.with("activations", Names{"Affine"}).outputs(2);
  return call;
}

TEST(Recurrent, CarriesItsStateFromStepToStep) {
  EXPECT_THAT(running_sum().values<float>(0), ElementsAre(1, 10, 2.5F, 25, 5.25F, 52.5F));
  EXPECT_THAT(running_sum().values<float>(1), ElementsAre(5.25F, 52.5F));
}

TEST(Recurrent, RunsBackwards) {
  EXPECT_THAT(running_sum().with("direction", "reverse").values<float>(0),
              ElementsAre(3, 30, 4, 40, 4, 40));
}

TEST(Recurrent, StopsAtTheEndOfEachSequence) {
  Call call = running_sum();
  call.no_input().input<std::int32_t>({2}, {1, 3});
  EXPECT_THAT(call.values<float>(0), ElementsAre(1, 10, 0, 25, 0, 52.5F));
  EXPECT_THAT(call.values<float>(1), ElementsAre(1, 52.5F));
}

TEST(Recurrent, RefusesLengthsOutsideTheSequence) {
  for (const std::int32_t length : {-1, 4, INT32_MAX}) {
    Call call = running_sum();
    EXPECT_THAT(call.no_input().input<std::int32_t>({2}, {1, length}).run(),
                FailsWith(ErrorCode::kMalformed, HasSubstr("length")));
  }
}

TEST(Recurrent, OfNoStepsKeepsTheFirstState) {
  Call call("RNN");
  call.zeros(DType::kF32, {0, 1, 1}).zeros(DType::kF32, {1, 1, 1}).zeros(DType::kF32, {1, 1, 1});
  call.no_input().no_input().input<float>({1, 1, 1}, {7}).outputs(2);
  EXPECT_THAT(call.values<float>(0), IsEmpty());
  EXPECT_THAT(call.values<float>(1), ElementsAre(7));
}

TEST(Recurrent, ClipsWhatGoesIntoAnActivation) {
  EXPECT_THAT(running_sum().with("clip", 2.0F).values<float>(1), ElementsAre(2, 2));
}

TEST(Recurrent, CouplesTheGatesOfAnLstm) {
  // With all weights 0 every gate is 1/2: c = c/2 + 0 and, coupled, the same; h = tanh(c) / 2.
  Call call("LSTM");
  call.zeros(DType::kF32, {1, 1, 1}).zeros(DType::kF32, {1, 4, 1}).zeros(DType::kF32, {1, 4, 1});
  call.no_input().no_input().no_input().input<float>({1, 1, 1}, {2}).outputs(3);
  EXPECT_THAT(call.values<float>(2), ElementsAre(1));
  EXPECT_THAT(call.values<float>(1), ElementsAre(0.5F * std::tanh(1.0F)));
  EXPECT_THAT(call.with("input_forget", 1).values<float>(2), ElementsAre(1));
}

TEST(Recurrent, RefusesShapesThatDoNotFitEachOther) {
  const auto gru = [](Shape x, Shape w, Shape r) {
    return Call("GRU").zeros(DType::kF32, x).zeros(DType::kF32, w).zeros(DType::kF32, r);
  };
  EXPECT_THAT(gru({5, 2, 3}, {1, 12, 3}, {1, 12, 4}).infer(), ::sealpack::testing::Succeeds());
  EXPECT_THAT(gru({5, 2, 3}, {1, 12, 2}, {1, 12, 4}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(gru({5, 2, 3}, {1, 12, 3}, {1, 12, 5}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(gru({5, 2, 3}, {2, 12, 3}, {1, 12, 4}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(gru({5, 2, 3}, {1, 0, 3}, {1, 0, 0}).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(gru({5, 2}, {1, 12, 3}, {1, 12, 4}).infer(), Fails(ErrorCode::kMalformed));
  Call call = gru({5, 2, 3}, {1, 12, 3}, {1, 12, 4});
  EXPECT_THAT(call.zeros(DType::kF32, {1, 12}).infer(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("float32[1,24]")));
}

TEST(Recurrent, RefusesAttributesThatItCannotFollow) {
  EXPECT_THAT(running_sum().with("hidden_size", 2).infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(running_sum().with("direction", "sideways").infer(), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(running_sum().with("clip", -1.0F).infer(), Fails(ErrorCode::kMalformed));
  Call call("RNN");
  call.zeros(DType::kF32, {3, 2, 1}).zeros(DType::kF32, {1, 1, 1}).zeros(DType::kF32, {1, 1, 1});
  EXPECT_THAT(call.with("activations", Names{"Sinc"}).infer(),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'Sinc'")));
  Call few("RNN");
  few.zeros(DType::kF32, {3, 2, 1}).zeros(DType::kF32, {1, 1, 1}).zeros(DType::kF32, {1, 1, 1});
  EXPECT_THAT(few.with("activations", Names{}).infer(), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack::nn
