// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/planner.h"

#include <cstring>

#include "runtime-loader/plan/micro_programs.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::plan {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::Succeeds;
using ::testing::ElementsAre;

// x[n,64] -> four dense layers of 64, ReLU between them -> y.
class Builder {
 public:
  Builder() {
    graph_.opset = 13;
    add("x");
    graph_.values[0].dtype = nn::DType::kF32;
    graph_.values[0].dimensions = {{-1, "n"}, {64, ""}};
    graph_.inputs = {0};
  }
  nn::ValueId add(const std::string& name) {
    nn::Value value;
    value.name = name;
    graph_.values.push_back(std::move(value));
    return static_cast<nn::ValueId>(graph_.values.size() - 1);
  }
  nn::ValueId node(const char* op, std::vector<nn::ValueId> inputs, const std::string& output) {
    nn::Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {add(output)};
    graph_.nodes.push_back(node);
    return node.outputs[0];
  }
  nn::ValueId weight(const std::string& name) {
    const nn::ValueId id = add(name);
    nn::StoredTensor stored;
    stored.type = {nn::DType::kF32, {64, 64}};
    stored.is_inline = false;
    stored.offset = offset_;
    offset_ += stored.type.size();
    graph_.values[id].stored = stored;
    return id;
  }
  std::shared_ptr<const nn::Graph> done(nn::ValueId output) {
    graph_.outputs = {output};
    return std::make_shared<const nn::Graph>(std::move(graph_));
  }

 private:
  nn::Graph graph_;
  std::uint64_t offset_ = 0;
};

PlannedModel dense() {
  Builder b;
  nn::ValueId value = 0;
  for (int i = 1; i <= 4; ++i) {
    const std::string number = std::to_string(i);
    const nn::ValueId w = b.weight("w" + number);
    value = b.node("MatMul", {value, w}, "h" + number);
    if (i != 4) value = b.node("Relu", {value}, "r" + number);
  }
  return {b.done(value), std::make_shared<MicroWeights>()};
}

// Takes nothing for itself, so that small models show something.
constexpr Target kBare = {"bare", 0, "", 0, "", 0, "", 0};
constexpr Target kBareWithBuffer = {"bare", 0, "", std::uint64_t{4} << 20U, "", 0, "", 0};

PlanOptions options(std::uint64_t memory = 0) {
  PlanOptions out;
  out.target = &kBare;
  out.memory = memory;
  out.calibration = default_calibration();
  return out;
}

Candidate last(const Planner& planner, int count) {
  return *candidate_for(planner.flow(), *parse_protect("last:" + std::to_string(count)), nullptr);
}

TEST(Planner, EstimatesWhatADivisionTakes) {
  const auto planner = Planner::create(dense(), options());
  ASSERT_TRUE(planner.ok()) << planner.error().message();
  const auto choice = planner->evaluate(last(*planner, 2), 0);
  ASSERT_TRUE(choice.ok()) << choice.error().message();
  EXPECT_DOUBLE_EQ(choice->estimate.parameter_share, 0.5);
  EXPECT_DOUBLE_EQ(choice->estimate.multiply_add_share, 0.5);
  EXPECT_EQ(choice->estimate.crossing, 2 * 64 * 4U);
  EXPECT_THAT(choice->taps, ElementsAre("r2"));
  EXPECT_GE(choice->estimate.secure_peak, 2 * 64 * 64 * 4U);
  EXPECT_EQ(choice->streamed, 0U);
  EXPECT_EQ(choice->worth, Worth::kSome);
  EXPECT_GT(choice->estimate.latency, 0);
}

TEST(Planner, StreamsWhereMemoryIsSmallAndSaysThatItTakesLonger) {
  const auto planner = Planner::create(dense(), options());
  ASSERT_TRUE(planner.ok());
  const Candidate all = *candidate_for(planner->flow(), *parse_protect("all"), nullptr);
  const auto large = planner->evaluate(all, 0);
  ASSERT_TRUE(large.ok());
  const auto small = planner->evaluate(all, large->estimate.secure_peak / 2);
  ASSERT_TRUE(small.ok()) << small.error().message();
  EXPECT_LE(small->estimate.secure_peak, large->estimate.secure_peak / 2);
  EXPECT_GT(small->streamed, 0U);
  EXPECT_GT(small->estimate.latency, large->estimate.latency);
  EXPECT_THAT(planner->evaluate(all, small->least_memory / 2), Fails(ErrorCode::kLimit));
}

TEST(Planner, CountsWhatTheLoaderTakesItself) {
  const auto bare = Planner::create(dense(), options());
  PlanOptions process = options();
  process.target = *find_target("process");
  const auto loaded = Planner::create(dense(), process);
  ASSERT_TRUE(bare.ok() && loaded.ok());
  const Candidate all = *candidate_for(bare->flow(), *parse_protect("all"), nullptr);
  EXPECT_EQ(loaded->evaluate(all, 0)->estimate.secure_peak,
            bare->evaluate(all, 0)->estimate.secure_peak + process.target->own_memory);
  EXPECT_THAT(loaded->evaluate(all, process.target->own_memory), Fails(ErrorCode::kLimit));
}

TEST(Planner, PlansForNoMoreThanTheTargetLeaves) {
  Target target = kBare;
  target.own_memory = 1 << 20;
  target.own_of_large = 1 << 20;
  PlanOptions keeping = options();
  keeping.target = &target;
  const auto planner = Planner::create(dense(), keeping);
  ASSERT_TRUE(planner.ok());
  const Candidate all = *candidate_for(planner->flow(), *parse_protect("all"), nullptr);
  const std::uint64_t least = planner->evaluate(all, 0)->least_memory;
  EXPECT_THAT(planner->evaluate(all, least), Succeeds());
  EXPECT_THAT(planner->evaluate(all, least - 1), Fails(ErrorCode::kLimit));
}

TEST(Planner, CountsTripsThroughASmallBuffer) {
  PlanOptions small = options();
  small.target = &kBareWithBuffer;
  const auto planner = Planner::create(dense(), small);
  ASSERT_TRUE(planner.ok());
  const Candidate all = *candidate_for(planner->flow(), *parse_protect("all"), nullptr);
  EXPECT_EQ(planner->evaluate(all, 0)->estimate.switches, 1U);
  const std::uint64_t peak = planner->evaluate(all, 0)->estimate.secure_peak;
  EXPECT_EQ(planner->evaluate(all, peak / 2)->estimate.switches, 2U);
}

TEST(Planner, PutsAllOfTheModelFirstAndLeavesOutWhatIsBeaten) {
  const auto planner = Planner::create(dense(), options());
  ASSERT_TRUE(planner.ok());
  const auto result = planner->search(enumerate(planner->flow(), 48), 16);
  ASSERT_TRUE(result.ok());
  ASSERT_FALSE(result->choices.empty());
  EXPECT_TRUE(result->choices[0].candidate.whole);
  EXPECT_LE(result->choices.size(), 16U);
  EXPECT_GT(result->considered, 4U);
}

TEST(Planner, SaysWhyAllOfTheModelDoesNotFit) {
  const auto planner = Planner::create(dense(), options(1024));
  ASSERT_TRUE(planner.ok());
  const auto result = planner->search(enumerate(planner->flow(), 48), 16);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->choices.empty());
  EXPECT_GT(result->too_large, 0U);
  EXPECT_FALSE(result->all_refused.empty());
}

TEST(Planner, WritesDownWhatBuildReads) {
  const auto planner = Planner::create(dense(), options(std::uint64_t{1} << 20U));
  ASSERT_TRUE(planner.ok());
  const auto choice = planner->evaluate(last(*planner, 2), std::uint64_t{1} << 20U);
  ASSERT_TRUE(choice.ok());
  const PlanFile file = planner->file_of(*choice, "m.onnx", {});
  EXPECT_FALSE(file.whole);
  EXPECT_THAT(file.secure, ElementsAre("h3", "r3", "h4"));
  EXPECT_EQ(file.memory, std::uint64_t{1} << 20U);
  EXPECT_EQ(file.target, "bare");
}

TEST(InferSymbolic, FollowsAnOpenDimensionThroughTheGraph) {
  const PlannedModel model = dense();
  const auto types = infer_symbolic(*model.graph, *model.weights);
  ASSERT_TRUE(types.ok());
  const auto& type = (*types)[*model.graph->find("r2")];
  ASSERT_TRUE(type.has_value());
  EXPECT_EQ(type->shape[0].symbol, "n");
  EXPECT_EQ(type->shape[1].value, 64);
}

TEST(InferTypes, UsesTheSizesThatAreGiven) {
  const PlannedModel model = dense();
  const auto types = infer_types(*model.graph, *model.weights, {{"n", 5}});
  ASSERT_TRUE(types.ok());
  EXPECT_EQ((*types)[*model.graph->find("h4")]->shape, (nn::Shape{5, 64}));
  EXPECT_THAT(symbols_of(*model.graph), ElementsAre("n"));
}

TEST(InferTypes, LeavesOutWhatCannotBeKnown) {
  Builder b;
  const nn::ValueId odd = b.node("Conjure", {0}, "odd");
  const auto graph = b.done(b.node("Relu", {odd}, "y"));
  MicroWeights weights;
  const auto types = infer_types(*graph, weights, {});
  ASSERT_TRUE(types.ok());
  EXPECT_FALSE((*types)[odd].has_value());
  EXPECT_FALSE((*types)[graph->outputs[0]].has_value());
}

TEST(FindTarget, NamesWhatThereIs) {
  EXPECT_TRUE(find_target("sgx").ok());
  EXPECT_THAT(find_target("abacus"), Fails(ErrorCode::kUsage));
  for (const Target& target : all_targets()) {
    EXPECT_NE(std::strlen(target.switch_source), 0U) << target.name;
    EXPECT_NE(std::strlen(target.memory_source), 0U) << target.name;
  }
}

}  // namespace
}  // namespace sealpack::plan
