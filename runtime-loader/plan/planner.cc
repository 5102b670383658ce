// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/planner.h"

#include <algorithm>
#include <set>

#include "runtime-loader/plan/oracle.h"
#include "runtime-loader/plan/subgraph.h"
#include "runtime-loader/tee/process/own_memory.h"

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

// Part of the memory that the whole graph's nodes would be: everything.
Part whole_part(const Dataflow& flow) {
  Part part;
  for (std::uint32_t i = 0; i < flow.nodes.size(); ++i) part.nodes.push_back(i);
  for (std::uint32_t i = 0; i < flow.values.size(); ++i) {
    if (flow.values[i].is_constant) part.constants.push_back(i);
  }
  part.inputs = flow.inputs;
  part.outputs = flow.outputs;
  return part;
}

// a is at least as good as b in everything. Estimates closer than a hundredth are the same.
bool beats(const Choice& a, const Choice& b) {
  const bool keeps = b.candidate.whole || b.candidate.asked;
  if (keeps && a.candidate.id != b.candidate.id) return false;
  const double slack = 1.01;
  return a.estimate.latency <= b.estimate.latency * slack &&
         static_cast<double>(a.estimate.secure_peak) <=
             static_cast<double>(b.estimate.secure_peak) * slack &&
         a.estimate.multiply_add_share * slack >= b.estimate.multiply_add_share &&
         a.estimate.parameter_share * slack >= b.estimate.parameter_share && a.worth <= b.worth;
}

std::vector<Choice> best_of(std::vector<Choice> all) {
  std::vector<Choice> kept;
  for (Choice& choice : all) {
    if (std::any_of(kept.begin(), kept.end(),
                    [&](const Choice& other) { return beats(other, choice); })) {
      continue;
    }
    std::erase_if(kept, [&](const Choice& other) { return beats(choice, other); });
    kept.push_back(std::move(choice));
  }
  return kept;
}

// What is not among `kept`.
std::vector<Choice> others_than(const std::vector<Choice>& kept, const std::vector<Choice>& all) {
  std::set<std::string> ids;
  for (const Choice& choice : kept) ids.insert(choice.id);
  std::vector<Choice> others;
  for (const Choice& choice : all) {
    if (!ids.contains(choice.id)) others.push_back(choice);
  }
  return others;
}

// The first ones are those of the whole model; the others are thinned evenly, oracles to a few.
void thin(std::vector<Choice>& choices, std::size_t shown) {
  constexpr std::size_t kOracles = 2;
  std::vector<Choice> kept;
  std::vector<Choice> others;
  std::size_t oracles = 0;
  for (Choice& choice : choices) {
    const bool bad = choice.is_oracle || choice.goes_back;
    if (choice.candidate.whole) {
      kept.push_back(std::move(choice));
    } else if (!bad || oracles++ < kOracles) {
      others.push_back(std::move(choice));
    }
  }
  const std::size_t room = shown > kept.size() ? shown - kept.size() : 1;
  const std::size_t count = std::min(room, others.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = count == 1 ? 0 : i * (others.size() - 1) / (count - 1);
    kept.push_back(std::move(others[at]));
  }
  choices = std::move(kept);
}

}  // namespace

Planner::Planner(PlannedModel model, PlanOptions options)
    : model_(std::move(model)), options_(std::move(options)) {}

Result<Planner> Planner::create(PlannedModel model, PlanOptions options) {
  Planner planner(std::move(model), std::move(options));
  TRY(planner.prepare());
  return planner;
}

Status Planner::prepare() {
  flow_ = TRY(dataflow_of(*model_.graph, *model_.weights));
  TRY(flow_.check());
  types_ = TRY(infer_types(*model_.graph, *model_.weights, options_.sizes));
  const Part whole = whole_part(flow_);
  auto graph = std::make_shared<const nn::Graph>(TRY(part_graph(*model_.graph, whole, types_)));
  nn::CompileOptions compile;
  compile.threads = options_.threads;
  const nn::Program program = TRY(nn::Program::compile(graph, *model_.weights, compile));
  whole_ = program.costs();
  multiply_adds_ = sums_of(whole).multiply_adds;
  parameters_ = parameters_of(whole);
  return done();
}

Planner::Sums Planner::sums_of(const Part& part) const {
  Sums sums;
  nn::ProgramCosts steps;
  for (const nn::StepCost& step : whole_.steps) {
    // A step that does nodes of two parts is the first one's.
    if (step.nodes.empty() ||
        !std::binary_search(part.nodes.begin(), part.nodes.end(), step.nodes[0])) {
      continue;
    }
    sums.multiply_adds += step.multiply_adds;
    steps.steps.push_back(step);
  }
  if (!part.empty()) sums.compute = time_of(options_.calibration, steps).compute;
  return sums;
}

std::uint64_t Planner::parameters_of(const Part& part) const {
  std::uint64_t count = 0;
  for (const std::uint32_t value : part.constants) {
    const bool is_float = types_[value] && types_[value]->dtype != nn::DType::kI64 &&
                          types_[value]->dtype != nn::DType::kBool;
    if (is_float) count += flow_.values[value].elements;
  }
  for (const std::uint32_t node : part.nodes) count += flow_.nodes[node].elements;
  return count;
}

std::uint64_t Planner::bytes_of(const std::vector<std::uint32_t>& values) const {
  std::uint64_t size = 0;
  for (const std::uint32_t value : values) size += types_[value] ? types_[value]->size() : 0;
  return size;
}

// In the blocks that a session has for its inputs and outputs.
std::uint64_t Planner::blocks_of(const std::vector<std::uint32_t>& values) const {
  constexpr std::uint64_t kBlock = 64;
  std::uint64_t size = 0;
  for (const std::uint32_t value : values) {
    const std::uint64_t bytes = types_[value] ? types_[value]->size() : 0;
    size += (bytes + kBlock - 1) / kBlock * kBlock;
  }
  return size;
}

// What the loader keeps beside a model that may have `model` bytes, and the other way round.
std::uint64_t Planner::own_beside(std::uint64_t model) const {
  const Target& target = *options_.target;
  return target.own_memory + (model < tee::kLargeModel ? 0 : target.own_of_large);
}
std::uint64_t Planner::room_under(std::uint64_t memory) const {
  const std::uint64_t small = memory - std::min(memory, own_beside(0));
  if (small < tee::kLargeModel || options_.target->own_of_large == 0) return small;
  const std::uint64_t large = memory - std::min(memory, own_beside(tee::kLargeModel));
  return std::max(large, tee::kLargeModel - 1);
}

Result<Choice> Planner::evaluate(const Candidate& candidate, std::uint64_t memory) const {
  Cut cut;
  if (candidate.whole) {
    cut.secure = whole_part(flow_);
  } else {
    cut = TRY(cut_apart(flow_, candidate.secure));
  }
  const auto graph =
      std::make_shared<const nn::Graph>(TRY(part_graph(*model_.graph, cut.secure, types_)));
  const std::uint64_t in = bytes_of(cut.secure.inputs);
  const std::uint64_t out = bytes_of(cut.secure.outputs);
  nn::CompileOptions compile;
  compile.threads = options_.threads;
  // What crosses lies inside as well, the answer twice: as computed, and as it leaves.
  const std::uint64_t around = blocks_of(cut.secure.inputs) + 2 * blocks_of(cut.secure.outputs);
  const std::uint64_t room = room_under(memory);
  compile.memory_limit = memory == 0 ? kNoLimit : room - std::min(room, around);
  const nn::Program program = TRY(nn::Program::compile(graph, *model_.weights, compile));
  const nn::ProgramCosts& costs = program.costs();

  Choice choice;
  choice.candidate = candidate;
  choice.id = candidate.id;
  choice.memory = memory;
  const std::uint64_t least = costs.least_limit + around;
  choice.least_memory = least + own_beside(least);
  for (const nn::StepCost& step : costs.steps) {
    choice.streamed += step.streamed;
    choice.spilled += step.spilled;
  }
  choice.goes_back = !cut.returned.empty();
  choice.is_oracle = !candidate.whole && find_oracle(flow_, cut).any();
  for (const std::uint32_t value : cut.secure.inputs) {
    choice.taps.push_back(flow_.values[value].name);
  }
  Estimate& estimate = choice.estimate;
  estimate.secure_peak = costs.peak + around + own_beside(costs.peak + around);
  estimate.crossing = in + out;
  const std::uint64_t buffer = options_.target->shared_buffer;
  const auto trips = [&](std::uint64_t size) {
    return buffer == 0 ? 0 : (size + buffer - 1) / buffer;
  };
  estimate.switches = std::max<std::uint64_t>(1, trips(in)) + trips(choice.streamed);
  const Sums secure = sums_of(cut.secure);
  const auto share = [](std::uint64_t part, std::uint64_t all) {
    return all == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(all);
  };
  estimate.multiply_add_share = candidate.whole ? 1 : share(secure.multiply_adds, multiply_adds_);
  estimate.parameter_share = candidate.whole ? 1 : share(parameters_of(cut.secure), parameters_);
  estimate.latency = seconds(time_of(options_.calibration, costs)) + sums_of(cut.before).compute +
                     sums_of(cut.after).compute +
                     static_cast<double>(estimate.switches) * options_.switch_cost +
                     static_cast<double>(estimate.crossing) * options_.calibration.copy;
  choice.worth =
      judge({candidate.whole, choice.is_oracle, choice.goes_back, estimate.multiply_add_share});
  return choice;
}

Result<PlanResult> Planner::search(const std::vector<Candidate>& candidates,
                                   std::size_t shown) const {
  PlanResult result;
  std::vector<Choice> all;
  for (const Candidate& candidate : candidates) {
    ++result.considered;
    const auto first = evaluate(candidate, options_.memory);
    if (!first.ok()) {
      const Error& error = first.error();
      if (candidate.whole) result.all_refused = error.message();
      if (error.code() == ErrorCode::kLimit) ++result.too_large;
      if (error.code() == ErrorCode::kUnsupported) ++result.shares_weights;
      if (error.code() != ErrorCode::kLimit && error.code() != ErrorCode::kUnsupported) {
        return Error(error.code(), error.message()).with_hint(error.hint());
      }
      continue;
    }
    all.push_back(*first);
    if (!options_.tries_less_memory) continue;
    const std::uint64_t base = options_.memory == 0
                                   ? first->estimate.secure_peak
                                   : std::min(options_.memory, first->estimate.secure_peak);
    constexpr std::pair<std::uint64_t, const char*> kParts[] = {{2, "-half"}, {4, "-quarter"}};
    for (const auto& [part, name] : kParts) {
      auto smaller = evaluate(candidate, base / part);
      if (!smaller.ok()) continue;
      smaller->id += name;
      all.push_back(*std::move(smaller));
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Choice& a, const Choice& b) {
    if (a.candidate.whole != b.candidate.whole) return a.candidate.whole;
    if (a.worth != b.worth) return a.worth < b.worth;
    if (a.estimate.multiply_add_share != b.estimate.multiply_add_share) {
      return a.estimate.multiply_add_share > b.estimate.multiply_add_share;
    }
    return a.estimate.latency < b.estimate.latency;
  });
  result.choices = best_of(all);
  thin(result.choices, shown);
  result.left_out = others_than(result.choices, all);
  return result;
}

PlanFile Planner::file_of(const Choice& choice, const std::string& model,
                          const Digest& digest) const {
  PlanFile file;
  file.model = model;
  file.digest = digest;
  file.whole = choice.candidate.whole;
  for (std::uint32_t i = 0; i < flow_.nodes.size() && !file.whole; ++i) {
    if (choice.candidate.secure[i]) file.secure.push_back(flow_.key(i));
  }
  file.target = options_.target->name;
  if (choice.memory != 0) file.memory = choice.memory;
  file.estimate = choice.estimate;
  return file;
}

}  // namespace sealpack::plan
