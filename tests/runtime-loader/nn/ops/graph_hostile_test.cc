// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "runtime-loader/nn/ops/operator.h"
#include "tests/runtime-loader/nn/ops/graph_models.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr ErrorCode kMalformed = ErrorCode::kMalformed;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;
constexpr ErrorCode kLimit = ErrorCode::kLimit;

// A graph from x [2,3] to y with these nodes and initializers.
Result<Graph> graph_of(const std::vector<Proto>& nodes, const std::vector<Proto>& tensors = {}) {
  Proto graph;
  for (const Proto& node : nodes) graph.message(1, node);
  for (const Proto& tensor : tensors) graph.message(5, tensor);
  graph.message(11, tensor_info("x", 1, {2, 3})).message(12, tensor_info("y", 0, {}));
  return load(make_model(graph));
}

// The same, interpreted on zeros.
Result<std::vector<OwnedTensor>> run_of(const std::vector<Proto>& nodes,
                                        const std::vector<Proto>& tensors = {}) {
  const Graph graph = TRY(graph_of(nodes, tensors));
  return interpret(graph, MemorySource({}), {OwnedTensor({DType::kF32, Shape{2, 3}})});
}

TEST(HostileGraph, RefusesCyclesAndWhatIsNotSorted) {
  EXPECT_THAT(graph_of({make_node("Add", {"x", "b"}, {"a"}), make_node("Relu", {"a"}, {"b"}),
                        make_node("Relu", {"b"}, {"y"})}),
              FailsWith(kMalformed, HasSubstr("value 'b' is not defined before its use")));
  EXPECT_THAT(graph_of({make_node("Relu", {"y"}, {"y"})}), Fails(kMalformed));
  EXPECT_THAT(graph_of({make_node("Relu", {"a"}, {"y"}), make_node("Relu", {"x"}, {"a"})}),
              FailsWith(kMalformed, HasSubstr("'a'")));
}

TEST(HostileGraph, DefinesEveryValueOnce) {
  EXPECT_THAT(graph_of({make_node("Relu", {"x"}, {"y"}), make_node("Relu", {"x"}, {"y"})}),
              FailsWith(kMalformed, HasSubstr("value 'y' is defined twice")));
  EXPECT_THAT(graph_of({make_node("Relu", {"x"}, {"x"})}),
              FailsWith(kMalformed, HasSubstr("value 'x' is defined twice")));
  EXPECT_THAT(graph_of({make_node("Relu", {"x"}, {"y"})}, {floats("w", {1}), floats("w", {2})}),
              FailsWith(kMalformed, HasSubstr("value 'w' is defined twice")));
  EXPECT_THAT(graph_of({make_node("Split", {"x"}, {"y", "y"})}), Fails(kMalformed));
  EXPECT_THAT(load(make_model(relu_graph().message(11, tensor_info("x", 1, {2})))),
              FailsWith(kMalformed, HasSubstr("defined twice")));
}

TEST(HostileGraph, RefusesValuesWithoutANameOrType) {
  EXPECT_THAT(load(make_model(relu_graph().message(11, Proto().text(1, "z")))),
              FailsWith(kMalformed, HasSubstr("input 'z' has no element type")));
  EXPECT_THAT(load(make_model(relu_graph().message(11, tensor_info("", 1, {})))),
              FailsWith(kMalformed, HasSubstr("without a name")));
  EXPECT_THAT(load(make_model(relu_graph().message(12, tensor_info("", 1, {})))),
              FailsWith(kMalformed, HasSubstr("without a name")));
  EXPECT_THAT(load(make_model(relu_graph().message(12, tensor_info("nowhere", 1, {})))),
              FailsWith(kMalformed, HasSubstr("'nowhere'")));
  EXPECT_THAT(load(make_model(relu_graph().message(5, raw("", 1, {}, ByteVector(4))))),
              FailsWith(kMalformed, HasSubstr("without a name")));
  EXPECT_THAT(load(make_model(Proto().message(11, tensor_info("x", 1, {})))),
              FailsWith(kMalformed, HasSubstr("without outputs")));
}

TEST(HostileGraph, RefusesInputsThatAreNotTensors) {
  const Proto sequence = Proto().text(1, "s").message(2, Proto().message(4, Proto()));
  EXPECT_THAT(load(make_model(relu_graph().message(11, sequence))),
              FailsWith(kUnsupported, AllOf(HasSubstr("input 's'"), HasSubstr("dense"))));
  EXPECT_THAT(load(make_model(relu_graph().message(11, tensor_info("s", 8, {})))),
              FailsWith(kUnsupported, AllOf(HasSubstr("input 's'"), HasSubstr("type 8"))));
  EXPECT_THAT(load(make_model(
                  relu_graph().message(5, floats("w", {1})).message(11, tensor_info("w", 7, {1})))),
              FailsWith(kMalformed, HasSubstr("declared as int64")));
}

TEST(HostileGraph, RefusesDeclaredShapesOutOfBounds) {
  const std::int64_t huge = std::int64_t{1} << 40U;
  const auto declared = [](const std::vector<std::int64_t>& dims) {
    return load(make_model(relu_graph().message(11, tensor_info("z", 1, dims))));
  };
  EXPECT_THAT(declared({huge, huge}), FailsWith(kLimit, HasSubstr("input 'z'")));
  EXPECT_THAT(declared({INT64_MAX, INT64_MAX, 2}), Fails(kLimit));
  EXPECT_THAT(declared({-5}), FailsWith(kMalformed, HasSubstr("a dimension of -5")));
  EXPECT_THAT(declared(std::vector<std::int64_t>(9, 1)), FailsWith(kLimit, HasSubstr("rank 9")));
  EXPECT_THAT(declared({}), Succeeds());
}

TEST(HostileGraph, BoundsWhatANodeMayHold) {
  const Names many(5000, "x");
  EXPECT_THAT(graph_of({make_node("Concat", many, {"y"}, {int_of("axis", 0)})}),
              FailsWith(kLimit, HasSubstr("4096")));
  EXPECT_THAT(graph_of({make_node("Relu", {"x"}, {"y"}, std::vector<Proto>(5000, int_of("a", 1)))}),
              Fails(kLimit));
}

TEST(HostileGraph, BoundsTheListsOfAttributes) {
  const std::vector<std::int64_t> list(kInlineSize * 1024, 1);  // 2 MiB each of 64 MiB in all
  std::vector<Proto> attributes;
  for (int i = 0; i < 40; ++i) attributes.push_back(ints_of("a" + std::to_string(i), list));
  EXPECT_THAT(graph_of({make_node("Relu", {"x"}, {"y"}, attributes)}),
              FailsWith(kLimit, HasSubstr("over 64.0 MiB")));
}

TEST(HostileGraph, RefusesAttributesThatContradictThemselves) {
  const auto with = [](const Proto& attribute) {
    return graph_of({make_node("Softmax", {"x"}, {"y"}, {attribute})});
  };
  EXPECT_THAT(with(int_of("axis", 1)), Succeeds());
  EXPECT_THAT(
      with(Proto().text(1, "axis").integer(3, 1).integer(20, 7)),
      FailsWith(kMalformed, AllOf(HasSubstr("attribute 'axis'"), HasSubstr("do not agree"))));
  EXPECT_THAT(with(Proto().text(1, "axis").integer(3, 1).fixed32(2, 1).integer(20, 2)),
              FailsWith(kMalformed, HasSubstr("two values")));
  EXPECT_THAT(with(Proto().text(1, "axis").text(21, "alpha").integer(20, 2)),
              FailsWith(kMalformed, HasSubstr("function")));
  EXPECT_THAT(with(Proto().text(1, "axis").integer(20, 11)),
              FailsWith(kUnsupported, HasSubstr("type 11")));
  EXPECT_THAT(with(Proto().text(1, "axis").integer(20, 4)),
              FailsWith(kMalformed, HasSubstr("no tensor")));
  EXPECT_THAT(
      graph_of({make_node("Softmax", {"x"}, {"y"}, {int_of("axis", 1), int_of("axis", 0)})}),
      FailsWith(kMalformed, HasSubstr("two attributes 'axis'")));
}

TEST(HostileGraph, CountsInputsAndOutputsOfANode) {
  EXPECT_THAT(run_of({make_node("Relu", {"x", "x"}, {"y"})}),
              FailsWith(kMalformed, AllOf(HasSubstr("Relu"), HasSubstr("2 inputs"))));
  EXPECT_THAT(run_of({make_node("Relu", {}, {"y"})}), FailsWith(kMalformed, HasSubstr("0 inputs")));
  EXPECT_THAT(run_of({make_node("Relu", {""}, {"y"})}),
              FailsWith(kMalformed, HasSubstr("input 0 is missing")));
  EXPECT_THAT(run_of({make_node("Relu", {"x"}, {"y", "z"}, {}, "act")}),
              FailsWith(kMalformed, AllOf(HasSubstr("Relu (node 'act')"), HasSubstr("2 outputs"))));
  EXPECT_THAT(run_of({make_node("Relu", {"x"}, {}), make_node("Relu", {"x"}, {"y"})}),
              FailsWith(kMalformed, HasSubstr("0 outputs")));
}

TEST(HostileGraph, RefusesAttributesThatTheOperatorLacks) {
  EXPECT_THAT(run_of({make_node("Relu", {"x"}, {"y"}, {int_of("axis", 1)})}),
              FailsWith(kUnsupported, HasSubstr("attribute 'axis' is not one of opset 13")));
  EXPECT_THAT(run_of({make_node("Reshape", {"x", "s"}, {"y"}, {int_of("allowzero", 1)})},
                     {int64s("s", {6})}),
              FailsWith(kUnsupported, HasSubstr("allowzero")));
}

TEST(HostileGraph, RefusesTypesThatDoNotFit) {
  EXPECT_THAT(
      run_of({make_node("Concat", {"x", "s"}, {"y"}, {int_of("axis", 0)})}, {int64s("s", {1})}),
      Fails(kMalformed));
  EXPECT_THAT(run_of({make_node("Reshape", {"x", "x"}, {"y"})}), Fails(kUnsupported));
  EXPECT_THAT(run_of({make_node("Gather", {"x", "x"}, {"y"})}), Fails(kUnsupported));
  EXPECT_THAT(run_of({make_node("Where", {"x", "x", "x"}, {"y"})}), Fails(kUnsupported));
  EXPECT_THAT(run_of({make_node("Transpose", {"x"}, {"y"},
                                {Proto().text(1, "perm").text(4, "01").integer(20, 3)})}),
              FailsWith(kMalformed, HasSubstr("wrong type")));
}

TEST(HostileGraph, RefusesShapesThatGrowBeyondBounds) {
  const std::int64_t huge = std::int64_t{1} << 62U;
  const auto run = [](const char* op, const std::vector<std::int64_t>& list) {
    return run_of({make_node(op, {"x", "s"}, {"y"})}, {int64s("s", list)});
  };
  EXPECT_THAT(run("Expand", {huge, huge, 1, 1}), Fails(kLimit));
  EXPECT_THAT(run("Expand", {-2, 3}), Fails(kMalformed));
  EXPECT_THAT(run("Tile", {huge, huge}), Fails(kMalformed));
  EXPECT_THAT(run("Tile", {std::int64_t{1} << 39U, 4}), Fails(kLimit));
  EXPECT_THAT(run("Tile", {-1, 1}), Fails(kMalformed));
  EXPECT_THAT(run("Pad", {0, huge, 0, huge}), Fails(kMalformed));
  EXPECT_THAT(run("Pad", {0, 0, -3, 0}), Fails(kMalformed));
  EXPECT_THAT(run("Reshape", {huge, huge, -1}), Fails(kMalformed));
  EXPECT_THAT(run("Reshape", {-1, -1}), Fails(kMalformed));
  EXPECT_THAT(run("Reshape", {-7, 1}), Fails(kMalformed));
  EXPECT_THAT(run("Reshape", std::vector<std::int64_t>(9, 1)), Fails(kLimit));
  EXPECT_THAT(run("Unsqueeze", std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}), Fails(kLimit));
  EXPECT_THAT(run("Unsqueeze", {0, 0}), FailsWith(kMalformed, HasSubstr("named twice")));
  EXPECT_THAT(run("Squeeze", {0}), FailsWith(kMalformed, HasSubstr("not of size 1")));
}

TEST(HostileGraph, RefusesAShapeThatIsKnownOnlyWhenItRuns) {
  const Graph graph =
      *graph_of({make_node("Shape", {"x"}, {"s"}), make_node("Reshape", {"x", "s"}, {"y"})});
  const TensorType x = {DType::kF32, Shape{2, 3}};
  const TensorType s = {DType::kI64, Shape{2}};
  const InferContext context = {graph.nodes[1], 13, {&x, &s}, {{x, nullptr}, {s, nullptr}}};
  EXPECT_THAT(infer_node(context),
              FailsWith(kUnsupported, AllOf(HasSubstr("Reshape"), HasSubstr("depends on shape"))));
}

TEST(HostileGraph, EveryTruncationIsRefused) {
  const ByteVector whole = make_model(relu_graph()).get();
  ASSERT_THAT(load_without_files(MemorySource(whole)), Succeeds());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const MemorySource cut(
        ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_FALSE(load_without_files(cut).ok()) << size;
  }
}

TEST(HostileGraph, NoFlippedBitBreaksAnything) {
  const Proto model = make_model(relu_graph()
                                     .message(5, int64s("s", {3, 2}))
                                     .message(1, make_node("Reshape", {"y", "s"}, {"z"})));
  const ByteVector whole = model.get();
  std::size_t loaded = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    ByteVector flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    const MemorySource source(flipped);
    const auto graph = load_without_files(source);
    if (!graph.ok() || graph->inputs.size() != 1) continue;
    ++loaded;
    (void)interpret(*graph, source, {OwnedTensor({DType::kF32, Shape{2, 3}})}).ok();
  }
  EXPECT_GT(loaded, 0U);
}

}  // namespace
}  // namespace sealpack::nn::testing
