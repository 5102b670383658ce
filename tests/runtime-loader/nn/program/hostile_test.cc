// SPDX-License-Identifier: Apache-2.0
// Graphs that ask for more than there is, or contradict themselves.
#include <gtest/gtest.h>

#include "tests/runtime-loader/nn/program/program_runs.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::BudgetMemory;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::PlainWeights;

class Hostile : public ::testing::Test {
 protected:
  Result<Program> compile(const GraphBuilder& g, const CompileOptions& options = {}) {
    return Program::compile(g.graph(), weights_, options);
  }
  PlainWeights weights_{{}};
};

TEST_F(Hostile, AGiantTensorIsPlannedButNeverAllocated) {
  GraphBuilder g;
  const ValueId x = g.input({1 << 18, 1 << 18});
  g.output(g.node("Softmax", {g.node("Relu", {x})}, {{"axis", std::int64_t{0}}}));
  CompileOptions options;
  options.memory_limit = 64 << 20;
  EXPECT_THAT(compile(g, options), FailsWith(ErrorCode::kLimit, HasSubstr("given")));
}

TEST_F(Hostile, ShapesThatOverflowTogetherAreRefused) {
  GraphBuilder g;
  const ValueId x = g.input({1 << 20, 1 << 20});
  std::vector<ValueId> parts;
  for (int i = 0; i < 64; ++i) parts.push_back(g.node("Relu", {x}));
  g.output(g.node("Sum", parts));
  EXPECT_THAT(compile(g), Fails(ErrorCode::kLimit));
}

TEST_F(Hostile, ANodeWhoseShapesDoNotFitIsNamed) {
  GraphBuilder g;
  g.output(g.node("MatMul", {g.input({3, 4}), g.input({5, 6})}));
  EXPECT_THAT(compile(g), FailsWith(ErrorCode::kMalformed, HasSubstr("MatMul0")));
}

TEST_F(Hostile, AGiantConstantIsNotComputedWhileCompiling) {
  GraphBuilder g;
  const ValueId giant = g.node("ConstantOfShape", {g.integers({1 << 20, 1 << 19})});
  g.output(g.node("Add", {giant, g.input({1})}));
  CompileOptions options;
  options.memory_limit = 16 << 20;
  EXPECT_THAT(compile(g, options), Fails(ErrorCode::kLimit));
}

TEST_F(Hostile, WeightsThatAreNotThereAreAnError) {
  GraphBuilder g;
  g.output(g.node("MatMul", {g.input({2, 300}), g.weight({300, 400})}));
  const auto program = compile(g);  // nothing is read yet
  ASSERT_THAT(program, Succeeds());
  BudgetMemory memory;
  EXPECT_THAT(testing::Subject(g).run(*program, {weights_, memory}), Fails(ErrorCode::kIo));
  EXPECT_EQ(memory.held(), 0U);
}

TEST_F(Hostile, AnIndexOutsideTheTableIsAnErrorOfTheRun) {
  GraphBuilder g;
  const ValueId tokens = g.input({4}, DType::kI64);
  g.output(g.node("Gather", {g.weight({3, 100000}), tokens}));  // indexes up to 7 are drawn
  EXPECT_THAT(testing::Subject(g).run(), FailsWith(ErrorCode::kMalformed, HasSubstr("index")));
}

TEST_F(Hostile, InputShapesThatTheGraphDoesNotAllowAreRefused) {
  GraphBuilder g;
  const ValueId x = g.input({-1, 4});
  g.output(g.node("Relu", {x}));
  const std::string name = g.graph()->values[x].name;
  CompileOptions options;
  options.input_shapes[name] = Shape{7, 4};
  ASSERT_THAT(compile(g, options), Succeeds());
  EXPECT_EQ(compile(g, options)->output_types()[0].shape, (Shape{7, 4}));
  EXPECT_EQ(compile(g)->output_types()[0].shape, (Shape{1, 4}));
  options.input_shapes[name] = Shape{7, 5};
  EXPECT_THAT(compile(g, options), Fails(ErrorCode::kUsage));
  options.input_shapes[name] = Shape{4};
  EXPECT_THAT(compile(g, options), Fails(ErrorCode::kUsage));
  options.input_shapes = {{"nobody", Shape{4}}};
  EXPECT_THAT(compile(g, options), FailsWith(ErrorCode::kUsage, HasSubstr("nobody")));
}

TEST_F(Hostile, TensorsWithoutElementsRun) {
  GraphBuilder g;
  const ValueId x = g.input({0, 3, 8, 8});
  g.output(g.node("Relu", {g.conv(x, 3, 4, 3)}));
  g.output(g.node("Concat", {x, x}, {{"axis", std::int64_t{0}}}));
  const auto outputs = testing::Subject(g).run();
  ASSERT_THAT(outputs, Succeeds());
  EXPECT_EQ((*outputs)[0].type().shape, (Shape{0, 4, 6, 6}));
}

}  // namespace
}  // namespace sealpack::nn
