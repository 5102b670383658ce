// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/program.h"

#include <gtest/gtest.h>

#include "tests/runtime-loader/nn/program/program_runs.h"
#include "tests/runtime-loader/nn/program/sample_graphs.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn {
namespace {

using testing::largest_difference;
using testing::random_image_graph;
using testing::random_matrix_graph;
using testing::same_bytes;
using testing::sample_graphs;
using testing::Subject;

constexpr double kTolerance = 1e-5;

void expect_like_interpreter(const testing::GraphBuilder& builder, const std::string& name) {
  Subject subject(builder);
  const auto outputs = subject.run();
  ASSERT_THAT(outputs, sealpack::testing::Succeeds()) << name;
  const auto wanted = subject.interpreted();
  ASSERT_EQ(outputs->size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_LE(largest_difference((*outputs)[i], wanted[i]), kTolerance) << name << ", output " << i;
  }
}

// The same bits from the least limit up to no limit, with one thread and with three.
void expect_same_under_limits(const testing::GraphBuilder& builder, const std::string& name) {
  Subject subject(builder);
  const auto wanted = subject.run();
  ASSERT_THAT(wanted, sealpack::testing::Succeeds()) << name;
  for (const unsigned threads : {1U, 3U}) {
    CompileOptions options;
    options.threads = threads;
    const ProgramCosts costs = subject.compile(options).value().costs();
    const std::uint64_t least = costs.least_limit, most = costs.unlimited_peak;
    ASSERT_LE(least, most);
    for (const std::uint64_t part : {0U, 1U, 5U, 12U, 25U, 50U, 75U, 95U, 100U}) {
      options.memory_limit = least + (most - least) * part / 100;
      const auto program = subject.compile(options);
      ASSERT_THAT(program, sealpack::testing::Succeeds()) << name;
      EXPECT_LE(program->costs().peak, options.memory_limit);
      const auto outputs = subject.run(options);
      ASSERT_THAT(outputs, sealpack::testing::Succeeds()) << name << " in " << options.memory_limit;
      EXPECT_TRUE(same_bytes(*outputs, *wanted))
          << name << " in " << options.memory_limit << " with " << threads << " threads";
    }
    options.memory_limit = least - 1;
    EXPECT_THAT(subject.compile(options),
                sealpack::testing::FailsWith(ErrorCode::kLimit,
                                             ::testing::HasSubstr(std::to_string(least))));
  }
}

TEST(Program, AnswersLikeTheInterpreterOnEveryKindOfGraph) {
  for (const auto& sample : sample_graphs()) expect_like_interpreter(sample.build(), sample.name);
}

TEST(Program, AnswersLikeTheInterpreterOnRandomLayersOverImages) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    expect_like_interpreter(random_image_graph(seed), "images " + std::to_string(seed));
  }
}

TEST(Program, AnswersLikeTheInterpreterOnRandomLayersOverMatrices) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    expect_like_interpreter(random_matrix_graph(seed), "matrices " + std::to_string(seed));
  }
}

TEST(Program, AnswersTheSameBitsUnderEveryLimitOnEveryKindOfGraph) {
  for (const auto& sample : sample_graphs()) expect_same_under_limits(sample.build(), sample.name);
}

TEST(Program, AnswersTheSameBitsUnderEveryLimitOnRandomGraphs) {
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    expect_same_under_limits(random_image_graph(seed), "images " + std::to_string(seed));
    expect_same_under_limits(random_matrix_graph(seed), "matrices " + std::to_string(seed));
  }
}

}  // namespace
}  // namespace sealpack::nn
