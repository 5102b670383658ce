// SPDX-License-Identifier: Apache-2.0
// Linear nodes that are computed elsewhere.
#include <gtest/gtest.h>

#include "runtime-loader/nn/ops/operator.h"
#include "tests/runtime-loader/nn/program/program_runs.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::BudgetMemory;
using testing::HeapMemory;
using testing::make_outputs;
using testing::MapSpill;
using testing::OwnedTensor;
using testing::reading;
using testing::Subject;
using testing::writing;

// Answers when it has been asked a few times, as something far away would.
class LateBackend final : public LinearBackend {
 public:
  LateBackend(const Graph& graph, WeightSource& weights) : graph_(graph), weights_(weights) {}

  Result<Ticket> submit(std::uint32_t node, const ConstTensor& input,
                        const Tensor& output) override {
    ++submitted;
    work_ = {node, input, output};
    polls_left_ = 3;
    return ++ticket_;
  }
  Result<bool> poll(Ticket ticket) override {
    EXPECT_EQ(ticket, ticket_);
    if (fails_once) {
      fails_once = false;
      return Error(ErrorCode::kIo, "the workers are gone");
    }
    if (--polls_left_ > 0) return false;
    TRY(compute());
    return true;
  }
  void cancel(Ticket ticket) override {
    EXPECT_EQ(ticket, ticket_);
    ++cancelled;
  }

  int submitted = 0, cancelled = 0;
  bool fails_once = false;

 private:
  struct Work {
    std::uint32_t node;
    ConstTensor input;
    Tensor output;
  };
  Status compute() {
    const Node& node = graph_.nodes[work_.node];
    HeapMemory memory;
    RunContext context{node, graph_.opset, {work_.input}, {work_.output}, memory, no_workers()};
    std::vector<OwnedTensor> constants;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      const StoredTensor& stored = *graph_.values[node.inputs[i]].stored;
      constants.emplace_back(stored.type);
      if (stored.is_inline) {
        constants.back() = OwnedTensor(stored.type, stored.bytes);
      } else {
        TRY(weights_.read(0, stored.offset, {constants.back().view().data, stored.type.size()}));
      }
    }
    for (OwnedTensor& each : constants) context.inputs.push_back(each.view());
    return find_operator(node.op, graph_.opset)->run(context);
  }

  const Graph& graph_;
  WeightSource& weights_;
  Work work_{};
  Ticket ticket_ = 100;
  int polls_left_ = 0;
};

class Backend : public ::testing::Test {
 protected:
  static testing::GraphBuilder build() {
    testing::GraphBuilder g;
    const ValueId x = g.node("Relu", {g.conv(g.input({1, 4, 12, 12}), 4, 16, 3, 1, 1)});
    const ValueId y = g.node("Relu", {g.conv(x, 16, 8, 3, 1, 1)});
    g.output(g.linear(g.node("Flatten", {y}), 8 * 144, 10));
    return g;
  }
  Result<Program> compile() {
    CompileOptions options;
    options.backend_nodes = {2, 5};  // the second Conv, the MatMul
    return subject_.compile(options);
  }
  Subject subject_{build()};
  BudgetMemory memory_;
  LateBackend backend_{subject_.graph(), subject_.weights()};
  Program program_ = compile().value();
  Instance make() {
    InstanceServices services{subject_.weights(), memory_};
    services.backend = &backend_;
    return Instance::create(program_, services).value();
  }
};

TEST_F(Backend, ComputesItsNodesAndTheRunWaitsForIt) {
  Instance instance = make();
  auto outputs = make_outputs(program_);
  ASSERT_THAT(instance.begin(reading(subject_.inputs()), writing(outputs)), Succeeds());
  int waits = 0;
  for (bool is_done = false; !is_done;) {
    const auto advanced = instance.advance();
    ASSERT_THAT(advanced, Succeeds());
    is_done = *advanced;
    waits += instance.is_waiting() ? 1 : 0;
  }
  EXPECT_EQ(waits, 4);
  EXPECT_EQ(backend_.submitted, 2);
  EXPECT_LE(testing::largest_difference(outputs[0], subject_.interpreted()[0]), 1e-5);
  outputs = make_outputs(program_);
  ASSERT_THAT(instance.run(reading(subject_.inputs()), writing(outputs)), Succeeds());
  EXPECT_LE(testing::largest_difference(outputs[0], subject_.interpreted()[0]), 1e-5);
}

TEST_F(Backend, IsAskedAgainAfterItFailed) {
  Instance instance = make();
  backend_.fails_once = true;
  auto outputs = make_outputs(program_);
  ASSERT_THAT(instance.begin(reading(subject_.inputs()), writing(outputs)), Succeeds());
  int failures = 0;
  for (bool is_done = false; !is_done;) {
    const auto advanced = instance.advance();
    if (advanced.ok()) {
      is_done = *advanced;
    } else {
      EXPECT_THAT(advanced, Fails(ErrorCode::kIo));
      ++failures;
    }
  }
  EXPECT_EQ(failures, 1);
  EXPECT_EQ(backend_.submitted, 3);
  EXPECT_LE(testing::largest_difference(outputs[0], subject_.interpreted()[0]), 1e-5);
}

TEST_F(Backend, IsToldWhenTheRunIsAbandoned) {
  Instance instance = make();
  auto outputs = make_outputs(program_);
  ASSERT_THAT(instance.begin(reading(subject_.inputs()), writing(outputs)), Succeeds());
  while (!instance.is_waiting()) ASSERT_THAT(instance.advance(), Succeeds());
  instance.abandon();
  EXPECT_EQ(backend_.cancelled, 1);
  EXPECT_FALSE(instance.is_waiting());
}

TEST_F(Backend, MustBeThereForAProgramThatNeedsIt) {
  EXPECT_THAT(Instance::create(program_, {subject_.weights(), memory_}),
              FailsWith(ErrorCode::kUsage, ::testing::HasSubstr("backend")));
}

TEST_F(Backend, TakesLinearNodesOnly) {
  for (const std::uint32_t node : {1U, 99U}) {
    CompileOptions options;
    options.backend_nodes = {node};
    EXPECT_THAT(subject_.compile(options),
                FailsWith(ErrorCode::kUsage, ::testing::HasSubstr(std::to_string(node))));
  }
}

}  // namespace
}  // namespace sealpack::nn
