// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "runtime-loader/nn/ops/operator_tables.h"
#include "tests/runtime-loader/nn/ops/data_runner.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

TEST(OperatorRegistry, IsSortedAndHasOneFormAnOpset) {
  const auto all = all_operators();
  ASSERT_GT(all.size(), 100U);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const int order = std::string_view(all[i - 1]->name).compare(all[i]->name);
    EXPECT_LE(order, 0) << all[i]->name;
    if (order != 0) continue;
    EXPECT_LT(all[i - 1]->last_opset, all[i]->first_opset) << all[i]->name;
  }
}

TEST(OperatorRegistry, FindsTheFormOfAnOpset) {
  EXPECT_EQ(find_operator("Slice", 9)->max_inputs, 1U);
  EXPECT_EQ(find_operator("Slice", 10)->max_inputs, 5U);
  EXPECT_EQ(find_operator("Upsample", 10), nullptr);
  EXPECT_EQ(find_operator("CastLike", 14), nullptr);
  EXPECT_EQ(find_operator("Slic", 13), nullptr);
  EXPECT_EQ(find_operator("Slicee", 13), nullptr);
  EXPECT_EQ(find_operator("", 13), nullptr);
  EXPECT_EQ(find_operator("Slice", 18), nullptr);
}

TEST(OperatorRegistry, FormsAreWellMade) {
  for (const Operator* form : all_operators()) {
    EXPECT_LE(form->first_opset, form->last_opset) << form->name;
    EXPECT_LE(form->last_opset, kLastOpset) << form->name;
    EXPECT_LE(form->min_inputs, form->max_inputs) << form->name;
    EXPECT_GE(form->max_outputs, 1U) << form->name;
    EXPECT_EQ(std::string_view(form->attributes).find("  "), std::string_view::npos) << form->name;
  }
}

// Whatever the number and the kind of the inputs, infer answers.
TEST(OperatorRegistry, NoFormTrustsItsInputs) {
  const OwnedTensor odd[] = {scalar(3),
                             integers({-1, 0, INT64_MAX}),
                             counting<float>(Shape{2, 3}),
                             counting<float>(Shape{0}),
                             bools(Shape{1, 1, 1, 1}, {1}),
                             counting<float>(Shape{1, 1, 1, 1, 1, 1, 1, 1}),
                             counting<float>(Shape{1, 2, 4, 4})};
  for (const Operator* form : all_operators()) {
    const std::int64_t opset = std::max(form->first_opset, kFirstOpset);
    for (std::size_t count = form->min_inputs; count <= std::min<std::size_t>(form->max_inputs, 4);
         ++count) {
      for (const OwnedTensor& first : odd) {
        for (const OwnedTensor& rest : odd) {
          OperatorRun known(form->name, opset);
          OperatorRun unknown(form->name, opset);
          for (std::size_t i = 0; i < count; ++i) {
            known.input(i == 0 ? first : rest);
            unknown.unknown(i == 0 ? first : rest);
          }
          (void)known.infer().ok();
          (void)unknown.infer().ok();
        }
      }
    }
  }
}

TEST(RunNode, DoesNothingWhereNothingIsToBeWritten) {
  // 2^40 rows of no columns: a loop over them would not end.
  const TensorType type = {DType::kF32, Shape{std::int64_t{1} << 40U, 0}};
  const auto reversed = OperatorRun("Trilu", 14).input(OwnedTensor(type)).run();
  EXPECT_THAT(reversed, sealpack::testing::Succeeds());
}

}  // namespace
}  // namespace sealpack::nn::testing
