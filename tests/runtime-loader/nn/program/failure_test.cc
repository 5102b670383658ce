// SPDX-License-Identifier: Apache-2.0
// What a run does when a service fails under it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/runtime-loader/nn/program/program_runs.h"
#include "tests/runtime-loader/nn/program/sample_graphs.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using testing::BudgetMemory;
using testing::make_outputs;
using testing::MapSpill;
using testing::OwnedTensor;
using testing::reading;
using testing::same_bytes;
using testing::Subject;
using testing::ThreadBackground;
using testing::writing;

// Passes calls on, except the one that is to fail.
class FailingWeights final : public WeightSource {
 public:
  explicit FailingWeights(WeightSource& weights) : weights_(weights) {}
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override {
    if (calls++ == fail_at) {
      std::fill(out.begin(), out.end(), std::uint8_t{0});
      return Error(ErrorCode::kIo, "the source failed");
    }
    return weights_.read(file, offset, out);
  }
  std::uint64_t calls = 0;
  std::uint64_t fail_at = ~std::uint64_t{0};

 private:
  WeightSource& weights_;
};

class FailingSpill final : public SpillStore {
 public:
  Status store(std::uint64_t block, Bytes plain) override {
    if (calls++ == fail_at) return Error(ErrorCode::kIo, "the store failed");
    return store_.store(block, plain);
  }
  Status load(std::uint64_t block, MutableBytes plain) override {
    if (calls++ == fail_at) return Error(ErrorCode::kNotAuthentic, "the block is not ours");
    return store_.load(block, plain);
  }
  void forget(std::uint64_t block) override { store_.forget(block); }
  std::size_t count() const { return store_.count(); }
  std::uint64_t calls = 0;
  std::uint64_t fail_at = ~std::uint64_t{0};

 private:
  MapSpill store_;
};

bool is_zero(const std::vector<OwnedTensor>& tensors) {
  return std::ranges::all_of(tensors, [](const OwnedTensor& tensor) {
    return std::ranges::all_of(tensor.bytes(), [](std::uint8_t byte) { return byte == 0; });
  });
}

std::vector<OwnedTensor> filled_outputs(const Program& program) {
  auto outputs = make_outputs(program);
  for (OwnedTensor& each : outputs) {
    std::fill_n(each.view().data, each.type().size(), std::uint8_t{0x5a});
  }
  return outputs;
}

// A graph under the least limit: everything streams and spills.
struct Tight {
  explicit Tight(const testing::GraphBuilder& builder)
      : subject(builder), program(compile(subject)) {}
  static Program compile(Subject& subject) {
    CompileOptions options;
    options.memory_limit = subject.compile().value().costs().least_limit;
    return subject.compile(options).value();
  }
  Subject subject;
  Program program;
};

// Runs in pieces, trying again after each failure; how many there were.
Result<int> run_with_retries(Instance& instance, const Subject& subject,
                             std::vector<OwnedTensor>& outputs) {
  TRY(instance.begin(reading(subject.inputs()), writing(outputs)));
  for (int failures = 0;;) {
    const auto finished = instance.advance();
    if (!finished.ok() && ++failures > 3) return Error(finished.error());
    if (finished.ok() && *finished) return failures;
  }
}

class Failures : public ::testing::Test {
 protected:
  Tight tight_{testing::sample_graphs()[0].build()};
  std::vector<OwnedTensor> wanted_ = tight_.subject.run().value();
};

TEST_F(Failures, OfTheWeightsAreTriedAgainAtEveryRead) {
  FailingWeights weights(tight_.subject.weights());
  BudgetMemory memory(tight_.program.costs().peak);
  FailingSpill spill;
  ThreadBackground background;
  for (Background* each : {&no_background(), static_cast<Background*>(&background)}) {
    weights.calls = 0;
    weights.fail_at = ~std::uint64_t{0};
    auto instance =
        Instance::create(tight_.program, {weights, memory, &spill, no_workers(), *each});
    ASSERT_THAT(instance, Succeeds());
    auto outputs = make_outputs(tight_.program);
    ASSERT_THAT(instance->run(reading(tight_.subject.inputs()), writing(outputs)), Succeeds());
    const std::uint64_t reads = weights.calls;
    ASSERT_GT(reads, 10U);
    for (std::uint64_t read = 0; read < reads; ++read) {
      weights.calls = 0;
      weights.fail_at = read;
      outputs = make_outputs(tight_.program);
      const auto failures = run_with_retries(*instance, tight_.subject, outputs);
      ASSERT_THAT(failures, Succeeds()) << read;
      EXPECT_EQ(*failures, 1) << read;
      EXPECT_TRUE(same_bytes(outputs, wanted_)) << read;
    }
  }
}

TEST_F(Failures, OfTheSpillStoreAreTriedAgainAtEveryCall) {
  BudgetMemory memory(tight_.program.costs().peak);
  FailingSpill spill;
  auto instance = Instance::create(tight_.program, {tight_.subject.weights(), memory, &spill});
  ASSERT_THAT(instance, Succeeds());
  auto outputs = make_outputs(tight_.program);
  ASSERT_THAT(instance->run(reading(tight_.subject.inputs()), writing(outputs)), Succeeds());
  const std::uint64_t calls = spill.calls;
  ASSERT_GT(calls, 10U);
  for (std::uint64_t call = 0; call < calls; ++call) {
    spill.calls = 0;
    spill.fail_at = call;
    outputs = make_outputs(tight_.program);
    const auto failures = run_with_retries(*instance, tight_.subject, outputs);
    ASSERT_THAT(failures, Succeeds()) << call;
    EXPECT_EQ(*failures, 1) << call;
    EXPECT_TRUE(same_bytes(outputs, wanted_)) << call;
  }
}

TEST_F(Failures, LeaveOutputsOfZerosAndNothingSpilled) {
  BudgetMemory memory(tight_.program.costs().peak);
  FailingSpill spill;
  auto instance = Instance::create(tight_.program, {tight_.subject.weights(), memory, &spill});
  ASSERT_THAT(instance, Succeeds());
  for (const std::uint64_t call : {0U, 3U, 40U, 90U}) {
    spill.calls = 0;
    spill.fail_at = call;
    auto outputs = filled_outputs(tight_.program);
    EXPECT_THAT(instance->run(reading(tight_.subject.inputs()), writing(outputs)),
                ::testing::AnyOf(Fails(ErrorCode::kIo), Fails(ErrorCode::kNotAuthentic)));
    EXPECT_TRUE(is_zero(outputs)) << call;
    EXPECT_EQ(spill.count(), 0U) << call;
  }
  spill.fail_at = ~std::uint64_t{0};
  auto outputs = filled_outputs(tight_.program);
  ASSERT_THAT(instance->run(reading(tight_.subject.inputs()), writing(outputs)), Succeeds());
  EXPECT_TRUE(same_bytes(outputs, wanted_));
  EXPECT_EQ(spill.count(), 0U);
}

TEST_F(Failures, ARunThatIsAbandonedLeavesOutputsOfZeros) {
  BudgetMemory memory(tight_.program.costs().peak);
  MapSpill spill;
  ThreadBackground background;
  auto instance = Instance::create(
      tight_.program, {tight_.subject.weights(), memory, &spill, no_workers(), background});
  ASSERT_THAT(instance, Succeeds());
  auto outputs = filled_outputs(tight_.program);
  ASSERT_THAT(instance->begin(reading(tight_.subject.inputs()), writing(outputs)), Succeeds());
  for (int i = 0; i < 20; ++i) ASSERT_THAT(instance->advance(), Succeeds());
  instance->abandon();
  EXPECT_TRUE(is_zero(outputs));
  EXPECT_EQ(spill.count(), 0U);
  EXPECT_THAT(instance->advance(), Fails(ErrorCode::kUsage));
  ASSERT_THAT(instance->run(reading(tight_.subject.inputs()), writing(outputs)), Succeeds());
  EXPECT_TRUE(same_bytes(outputs, wanted_));
}

TEST_F(Failures, AnInstanceTakesItsMemoryAtOnceOrNotAtAll) {
  BudgetMemory memory(tight_.program.costs().peak / 2);
  MapSpill spill;
  EXPECT_THAT(Instance::create(tight_.program, {tight_.subject.weights(), memory, &spill}),
              Fails(ErrorCode::kLimit));
  EXPECT_EQ(memory.held(), 0U);
}

TEST_F(Failures, AProgramThatSpillsNeedsAStore) {
  BudgetMemory memory;
  EXPECT_THAT(Instance::create(tight_.program, {tight_.subject.weights(), memory}),
              FailsWith(ErrorCode::kUsage, ::testing::HasSubstr("spills")));
}

TEST_F(Failures, TensorsOfAnotherTypeAreRefusedBeforeTheRun) {
  BudgetMemory memory;
  MapSpill spill;
  auto instance = Instance::create(tight_.program, {tight_.subject.weights(), memory, &spill});
  ASSERT_THAT(instance, Succeeds());
  auto outputs = make_outputs(tight_.program);
  std::vector<OwnedTensor> small;
  small.emplace_back(TensorType{DType::kF32, Shape{1, 3, 40, 39}});
  EXPECT_THAT(instance->run(reading(small), writing(outputs)),
              FailsWith(ErrorCode::kUsage, ::testing::HasSubstr("[1,3,40,40]")));
  EXPECT_THAT(instance->run({}, writing(outputs)), Fails(ErrorCode::kUsage));
  EXPECT_THAT(instance->run(reading(tight_.subject.inputs()), {}), Fails(ErrorCode::kUsage));
}

TEST(Reload, TakesANewParameterIntoTheNextRun) {
  testing::GraphBuilder g;
  const ValueId w = g.weight({64, 32}), x = g.input({5, 64});
  g.output(g.node("MatMul", {x, w}));
  ByteVector file = g.file();
  class Changing final : public WeightSource {
   public:
    explicit Changing(ByteVector& file) : file_(file) {}
    Status read(std::uint32_t, std::uint64_t offset, MutableBytes out) override {
      std::copy_n(file_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
      return done();
    }

   private:
    ByteVector& file_;
  } weights(file);
  const auto graph = g.graph();
  auto program = Program::compile(graph, weights, {});
  ASSERT_THAT(program, Succeeds());
  BudgetMemory memory;
  auto instance = Instance::create(*program, {weights, memory});
  ASSERT_THAT(instance, Succeeds());
  Subject subject(g);
  auto before = make_outputs(*program), after = make_outputs(*program);
  ASSERT_THAT(instance->run(reading(subject.inputs()), writing(before)), Succeeds());
  EXPECT_FALSE(is_zero(before));
  std::fill(file.begin(), file.end(), std::uint8_t{0});
  ASSERT_THAT(instance->reload(w), Succeeds());
  ASSERT_THAT(instance->run(reading(subject.inputs()), writing(after)), Succeeds());
  EXPECT_TRUE(is_zero(after));
  EXPECT_THAT(instance->reload(x), Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::nn
