// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/cut.h"

#include "tests/runtime-loader/plan/flows.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using namespace testing;  // NOLINT: builders
using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(Cut, GivesTheSecurePartWhatItReadsAndNothingElse) {
  const Dataflow flow = chain();
  const auto result = cut_apart(flow, choose(flow, {"c2", "flat", "y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->before), ElementsAre("c1", "r1"));
  EXPECT_THAT(keys(flow, result->secure), ElementsAre("c2", "flat", "y"));
  EXPECT_TRUE(result->after.empty());
  EXPECT_THAT(names(flow, result->before.constants), ElementsAre("w1"));
  EXPECT_THAT(names(flow, result->secure.constants), UnorderedElementsAre("w2", "w3"));
  EXPECT_THAT(names(flow, result->secure.inputs), ElementsAre("r1"));
  EXPECT_THAT(names(flow, result->before.outputs), ElementsAre("r1"));
  EXPECT_THAT(names(flow, result->secure.outputs), ElementsAre("y"));
  EXPECT_THAT(result->returned, IsEmpty());
}

TEST(Cut, PutsWhatNeedsSecureValuesBehind) {
  const Dataflow flow = chain();
  const auto result = cut_apart(flow, choose(flow, {"c2"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->after), ElementsAre("flat", "y"));
  EXPECT_THAT(names(flow, result->returned), ElementsAre("c2"));
  EXPECT_THAT(names(flow, result->after.inputs), ElementsAre("c2"));
  EXPECT_THAT(names(flow, result->after.outputs), ElementsAre("y"));
}

TEST(Cut, RefusesASecurePartThatWouldRunTwice) {
  const Dataflow flow = chain();
  EXPECT_THAT(cut(flow, choose(flow, {"c1", "c2"})),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("run twice")));
}

TEST(Cut, RefusesNothing) {
  const Dataflow flow = chain();
  EXPECT_THAT(cut(flow, std::vector<bool>(flow.nodes.size())), Fails(ErrorCode::kUsage));
}

TEST(Cut, CutsParallelBranchesAtDifferentDepths) {
  const Dataflow flow = branches();
  const auto result = cut_apart(flow, choose(flow, {"a2", "b1", "b2", "sum", "y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->before), ElementsAre("s", "a1"));
  EXPECT_THAT(names(flow, result->secure.inputs), UnorderedElementsAre("s", "a1"));
}

TEST(Cut, NamesWeightsThatBothHalvesWouldHold) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .weight("tied")
                            .node("Gemm", {"x", "tied"}, {"a"})
                            .node("Gemm", {"a", "tied"}, {"y"})
                            .output("y")
                            .done();
  EXPECT_THAT(cut_apart(flow, choose(flow, {"y"})),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'tied'")));
  EXPECT_EQ(cut(flow, choose(flow, {"y"}))->shared_weights.size(), 1U);
}

TEST(Cut, LetsBothHalvesHoldAShape) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .structure("shape")
                            .weight("w")
                            .node("Reshape", {"x", "shape"}, {"a"})
                            .node("Gemm", {"a", "w"}, {"b"})
                            .node("Reshape", {"b", "shape"}, {"y"})
                            .output("y")
                            .done();
  const auto result = cut_apart(flow, choose(flow, {"b", "y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(names(flow, result->before.constants), ElementsAre("shape"));
  EXPECT_THAT(names(flow, result->secure.constants), UnorderedElementsAre("shape", "w"));
}

TEST(Cut, CopiesShapeArithmeticIntoBothHalves) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .weight("w")
                            .node("Shape", {"x"}, {"shape"})
                            .node("Reshape", {"x", "shape"}, {"a"})
                            .node("Gemm", {"a", "w"}, {"b"})
                            .node("Reshape", {"b", "shape"}, {"y"})
                            .output("y")
                            .done();
  const auto result = cut_apart(flow, choose(flow, {"b", "y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->before), ElementsAre("shape", "a"));
  EXPECT_THAT(keys(flow, result->secure), ElementsAre("shape", "b", "y"));
  // The secure half looks at the shape of x itself.
  EXPECT_THAT(names(flow, result->secure.inputs), UnorderedElementsAre("x", "a"));
  EXPECT_THAT(result->returned, IsEmpty());
}

TEST(Cut, SendsWeightsThatAreComputedWithWhereTheyAreRead) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .weight("w1")
                            .weight("w2")
                            .node("Transpose", {"w1"}, {"t1"})
                            .node("Transpose", {"w2"}, {"t2"})
                            .node("MatMul", {"x", "t1"}, {"a"})
                            .node("MatMul", {"a", "t2"}, {"y"})
                            .output("y")
                            .done();
  const auto result = cut_apart(flow, choose(flow, {"y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->before), ElementsAre("t1", "a"));
  EXPECT_THAT(keys(flow, result->secure), ElementsAre("t2", "y"));
  EXPECT_THAT(names(flow, result->before.constants), ElementsAre("w1"));
}

TEST(Cut, SeesAWeightInAConstantNodeThatBothRead) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .node("Constant", {}, {"w"})
                            .holds_weight()
                            .node("MatMul", {"x", "w"}, {"a"})
                            .node("MatMul", {"a", "w"}, {"y"})
                            .output("y")
                            .done();
  EXPECT_THAT(cut_apart(flow, choose(flow, {"y"})),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("'w'")));
}

TEST(Cut, GivesEachHalfItsOutputsOfTheModel) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .weight("w1")
                            .weight("w2")
                            .node("Gemm", {"x", "w1"}, {"early"})
                            .node("Gemm", {"early", "w2"}, {"late"})
                            .output("early")
                            .output("late")
                            .done();
  const auto result = cut_apart(flow, choose(flow, {"late"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(names(flow, result->before.outputs), ElementsAre("early"));
  EXPECT_THAT(names(flow, result->secure.outputs), ElementsAre("late"));
}

TEST(Cut, KeepsRandomNodesWhereTheyAreAskedToBe) {
  const Dataflow flow = FlowBuilder()
                            .input("x")
                            .node("RandomNormal", {}, {"noise"})
                            .node("Add", {"x", "noise"}, {"a"})
                            .node("Add", {"a", "noise"}, {"y"})
                            .output("y")
                            .done();
  const auto result = cut(flow, choose(flow, {"y"}));
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(keys(flow, result->before), ElementsAre("noise", "a"));
  EXPECT_THAT(names(flow, result->secure.inputs), UnorderedElementsAre("noise", "a"));
}

TEST(DataflowCheck, RefusesWhatCannotRun) {
  EXPECT_THAT(FlowBuilder().node("Relu", {"nowhere"}, {"y"}).output("y").done().check(),
              FailsWith(ErrorCode::kMalformed, HasSubstr("'nowhere'")));
  EXPECT_THAT(
      FlowBuilder().input("x").node("Relu", {"x"}, {"y"}).node("Relu", {"x"}, {"y"}).done().check(),
      FailsWith(ErrorCode::kMalformed, HasSubstr("made twice")));
  EXPECT_THAT(FlowBuilder().input("x").output("x").done().check(), Fails(ErrorCode::kUnsupported));
}

TEST(IsStructure, TakesSmallConstantsAndListsOfIntegers) {
  EXPECT_TRUE(is_structure(1, 16, 64));
  EXPECT_FALSE(is_structure(1, 17, 68));
  EXPECT_TRUE(is_structure(7, 128, 1024));
  EXPECT_FALSE(is_structure(7, 129, 1032));
  EXPECT_FALSE(is_structure(3, 17, 17));
}

}  // namespace
}  // namespace sealpack::plan
