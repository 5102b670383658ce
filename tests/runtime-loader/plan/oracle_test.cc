// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/oracle.h"

#include "tests/runtime-loader/plan/flows.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using namespace testing;  // NOLINT: builders

// Depth of y in a graph that is all secure.
Depth depth_of(const Dataflow& flow) {
  const auto whole = cut(flow, std::vector<bool>(flow.nodes.size(), true));
  EXPECT_TRUE(whole.ok());
  return output_depths(flow, whole->secure).at(0).depth;
}

FlowBuilder one_layer() {
  return FlowBuilder().input("x").weight("w").weight("b").node("Gemm", {"x", "w", "b"}, {"h"});
}

TEST(OutputDepth, OneLinearLayerIsOneLayer) {
  EXPECT_EQ(depth_of(one_layer().node("Identity", {"h"}, {"y"}).output("y").done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, ASoftmaxOrAnActivationBehindItHidesNothing) {
  for (const char* op : {"Softmax", "Sigmoid", "Relu", "MaxPool", "Tanh", "LeakyRelu"}) {
    EXPECT_EQ(depth_of(one_layer().node(op, {"h"}, {"y"}).output("y").done()), Depth::kOneLayer)
        << op;
  }
}

TEST(OutputDepth, AGatedActivationHidesNothingEither) {
  EXPECT_EQ(depth_of(one_layer()
                         .node("Sigmoid", {"h"}, {"gate"})
                         .node("Mul", {"h", "gate"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, TwoLinearLayersWithNothingBetweenAreOne) {
  EXPECT_EQ(depth_of(one_layer()
                         .weight("w2")
                         .node("BatchNormalization", {"h", "w2"}, {"n"})
                         .node("MatMul", {"n", "w2"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, ALayerBehindAnActivationIsDeep) {
  EXPECT_EQ(depth_of(one_layer()
                         .weight("w2")
                         .node("Relu", {"h"}, {"r"})
                         .node("Gemm", {"r", "w2"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kDeep);
}

TEST(OutputDepth, WhatTheHostCanComputeItselfInFrontDoesNotHelp) {
  EXPECT_EQ(depth_of(FlowBuilder()
                         .input("x")
                         .weight("w")
                         .node("Relu", {"x"}, {"r"})
                         .node("GlobalAveragePool", {"r"}, {"g"})
                         .node("Gemm", {"g", "w"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

FlowBuilder two_layers() {
  return one_layer().weight("w2").node("Relu", {"h"}, {"r"}).node("Gemm", {"r", "w2"}, {"h2"});
}

TEST(OutputDepth, ADecisionBySeveralLayersIsADecision) {
  EXPECT_EQ(depth_of(two_layers().node("ArgMax", {"h2"}, {"y"}).output("y").done()),
            Depth::kDecision);
}

// argmax(Wx + b) changes where two rows of W meet, and bisection finds where.
TEST(OutputDepth, ADecisionByOneLayerIsThatLayer) {
  EXPECT_EQ(depth_of(one_layer().node("ArgMax", {"h"}, {"y"}).output("y").done()),
            Depth::kOneLayer);
  EXPECT_EQ(depth_of(one_layer()
                         .node("Softmax", {"h"}, {"s"})
                         .node("ArgMax", {"s"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, WithoutWeightsItIsKnown) {
  EXPECT_EQ(depth_of(FlowBuilder().input("x").node("Relu", {"x"}, {"y"}).output("y").done()),
            Depth::kKnown);
}

TEST(OutputDepth, AShapeSaysNothing) {
  EXPECT_EQ(depth_of(FlowBuilder()
                         .input("x")
                         .weight("w")
                         .node("Gemm", {"x", "w"}, {"h"})
                         .node("Shape", {"h"}, {"s"})
                         .node("ConstantOfShape", {"s"}, {"c"})
                         .node("Add", {"x", "c"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kKnown);
}

TEST(OutputDepth, SeesWeightsThatAreComputedWith) {
  EXPECT_EQ(depth_of(FlowBuilder()
                         .input("x")
                         .weight("w")
                         .node("Transpose", {"w"}, {"t"})
                         .node("MatMul", {"x", "t"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, AnOperatorItDoesNotKnowHidesNothingUnlessItHasWeights) {
  EXPECT_EQ(depth_of(one_layer().node("Whatever", {"h"}, {"y"}).output("y").done()),
            Depth::kOneLayer);
  EXPECT_EQ(
      depth_of(one_layer().weight("w9").node("Whatever", {"h", "w9"}, {"y"}).output("y").done()),
      Depth::kDeep);
}

TEST(OutputDepth, AComparisonIsAnOracleForBisection) {
  EXPECT_EQ(depth_of(FlowBuilder()
                         .input("x")
                         .weight("w")
                         .node("Greater", {"x", "w"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(OutputDepth, AShiftByWeightsBehindAnActivationIsNoSecondLayer) {
  EXPECT_EQ(depth_of(one_layer()
                         .weight("zero")
                         .node("Relu", {"h"}, {"r"})
                         .node("Add", {"r", "zero"}, {"y"})
                         .output("y")
                         .done()),
            Depth::kOneLayer);
}

TEST(FindOracle, RefusesEverythingWithWeightsThatGoesBackButDecisions) {
  const Dataflow flow = chain();
  const auto deep = cut(flow, choose(flow, {"c1", "r1", "c2"}));
  ASSERT_TRUE(deep.ok());
  EXPECT_EQ(find_oracle(flow, *deep).returned.size(), 1U) << "three layers deep, and still asked";

  const Dataflow decided = two_layers()
                               .weight("w3")
                               .node("ArgMax", {"h2"}, {"i"})
                               .node("Gather", {"w3", "i"}, {"y"})
                               .output("y")
                               .done();
  const auto routed = cut(decided, choose(decided, {"h", "r", "h2", "i"}));
  ASSERT_TRUE(routed.ok());
  EXPECT_FALSE(find_oracle(decided, *routed).any());
}

TEST(FindOracle, RefusesADecisionByOneLayerThatGoesBack) {
  const Dataflow decided = one_layer()
                               .weight("w2")
                               .node("ArgMax", {"h"}, {"i"})
                               .node("Gather", {"w2", "i"}, {"y"})
                               .output("y")
                               .done();
  const auto routed = cut(decided, choose(decided, {"h", "i"}));
  ASSERT_TRUE(routed.ok());
  EXPECT_EQ(find_oracle(decided, *routed).returned.size(), 1U);
}

TEST(FindOracle, RefusesAnAnswerOneLayerAwayAndTakesADeepOne) {
  const Dataflow flow = chain();
  const auto last = cut(flow, choose(flow, {"y"}));
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(find_oracle(flow, *last).answers.size(), 1U);
  // Two convolutions with a ReLU between them.
  const auto all = cut(flow, std::vector<bool>(flow.nodes.size(), true));
  ASSERT_TRUE(all.ok());
  EXPECT_FALSE(find_oracle(flow, *all).any());
}

}  // namespace
}  // namespace sealpack::plan
