// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/program/chooser.h"
#include "runtime-loader/nn/program/plan.h"

namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kMostNeeded = std::uint64_t{1} << 46;

// The sum of what a graph has in memory at once must be a number worth planning with.
Status check_sizes(const Lowered& lowered) {
  for (const auto& step : lowered.steps) {
    std::uint64_t size = 0;
    for (const std::uint64_t each : step->input_sizes) size += std::min(each, kMostNeeded);
    for (const std::uint64_t each : step->output_sizes) size += std::min(each, kMostNeeded);
    if (size >= kMostNeeded) {
      return Error(ErrorCode::kLimit, step->what + " works on " + format_size(size));
    }
  }
  return done();
}

void count_spilled(const StepPlan& planned, const Step& step, StepCost& cost) {
  for (const WindowPlan& window : planned.windows) {
    Range had{0, 0};
    for (const Range& strip : planned.strips) {
      if (window.is_output) continue;
      const Range cover = window_cover(step.input_bytes(window.operand, strip), window.tensor_size);
      cost.spilled += cover.last - std::min(cover.last, std::max(cover.first, had.last));
      had = cover;
    }
    if (window.is_output) cost.spilled += window.tensor_size;
  }
}

// Without scratch memory for every thread if there is no other way.
std::optional<Plan> plan_within(const Lowered& lowered, const Chooser& chooser,
                                const CompileOptions& options) {
  constexpr int kMostTries = 8;
  for (unsigned threads = options.threads; threads > 0; threads /= 2) {
    std::uint64_t limit = options.memory_limit;
    for (int i = 0; i < kMostTries; ++i, limit -= limit / 32) {
      const auto choice = chooser.within(limit, threads);
      if (!choice) break;
      Plan tried = make_plan(lowered, *choice);
      if (tried.peak() <= options.memory_limit) return tried;
    }
  }
  return std::nullopt;
}

}  // namespace

ProgramCosts count_costs(const Lowered& lowered, const Plan& plan) {
  ProgramCosts costs;
  costs.peak = plan.peak();
  costs.resident_weights = plan.resident_size;
  for (std::size_t i = 0; i < lowered.steps.size(); ++i) {
    const Step& step = *lowered.steps[i];
    StepCost cost;
    cost.what = step.what;
    cost.nodes = step.nodes;
    cost.multiply_adds = step.multiply_adds;
    for (const std::uint64_t size : step.input_sizes) cost.moved += size;
    for (const std::uint64_t size : step.output_sizes) cost.moved += size;
    if (step.weights) cost.weights = step.weights->stored_size();
    count_spilled(plan.steps[i], step, cost);
    costs.steps.push_back(std::move(cost));
  }
  for (const Fetch& fetch : plan.fetches) {
    const PackedWeights& weights = *lowered.steps[fetch.step]->weights;
    const std::uint64_t size = weights.stored_size(fetch.units);
    costs.steps[fetch.step].streamed += size;
    costs.steps[fetch.step].reads +=
        fetch.staging_size == 0 ? 1 : (size + fetch.staging_size - 1) / fetch.staging_size;
  }
  for (std::size_t item = 0; item < plan.items.size(); ++item) {
    StepCost& cost = costs.steps[plan.items[item].step];
    cost.peak = std::max(cost.peak, plan.constants_size + plan.resident_size + plan.needed[item]);
  }
  return costs;
}

Result<Planned> find_plan(const Lowered& lowered, const CompileOptions& options) {
  TRY(check_sizes(lowered));
  const Chooser chooser(lowered, options);
  Plan plan = make_plan(lowered, chooser.unlimited());
  const std::uint64_t unlimited_peak = plan.peak();
  Plan least = make_plan(lowered, chooser.minimal());
  const std::uint64_t least_limit = std::min(least.peak(), unlimited_peak);
  if (options.memory_limit < least_limit) {
    return Error(ErrorCode::kLimit, "the model needs " + format_size(least_limit) + " (" +
                                        std::to_string(least_limit) + " bytes) of memory, " +
                                        format_size(options.memory_limit) + " are given");
  }
  if (unlimited_peak > options.memory_limit) {
    plan = plan_within(lowered, chooser, options).value_or(std::move(least));
  }
  ProgramCosts costs = count_costs(lowered, plan);
  costs.unlimited_peak = unlimited_peak;
  costs.least_limit = least_limit;
  return Planned{std::move(plan), std::move(costs)};
}

}  // namespace sealpack::nn::program
