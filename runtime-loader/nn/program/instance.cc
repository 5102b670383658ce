// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime-loader/nn/program/instance_state.h"

namespace sealpack::nn {

using program::Place;
using program::StepPlan;
using program::View;

Instance::Instance(std::unique_ptr<State> state) : state_(std::move(state)) {}
Instance::Instance(Instance&&) noexcept = default;
Instance& Instance::operator=(Instance&&) noexcept = default;
Instance::~Instance() = default;

Instance::State::~State() {
  fetcher.stop();
  if (is_running) end(false);
  if (!arena.empty()) services.memory.release(arena);
  if (!resident.empty()) services.memory.release(resident);
}

Result<Instance> Instance::create(const Program& program, const InstanceServices& services) {
  auto state = std::make_unique<State>(*program.state_, services);
  TRY(state->prepare());
  return Instance(std::move(state));
}

Status Instance::State::prepare() {
  const program::Plan& plan = program.plan;
  if (plan.spills && services.spill == nullptr) {
    return Error(ErrorCode::kUsage, "the program spills, but there is no store for that");
  }
  for (const auto& step : program.lowered.steps) {
    if (step->is_backend && services.backend == nullptr) {
      return Error(ErrorCode::kUsage, "the program has nodes for a backend, and there is none");
    }
  }
  if (plan.resident_size > 0) resident = TRY(services.memory.allocate(plan.resident_size));
  if (plan.arena_size > 0) arena = TRY(services.memory.allocate(plan.arena_size));
  inputs.resize(program.inputs.size());
  outputs.resize(program.outputs.size());
  std::size_t most_windows = 0, view_count = 0;
  for (const StepPlan& step : plan.steps) {
    first_view.push_back(view_count);
    view_count += step.inputs.size() + step.outputs.size();
    most_windows = std::max(most_windows, step.windows.size());
  }
  views.resize(view_count);
  windows.resize(most_windows);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) TRY(pack_resident(i));
  if (!arena.empty()) std::memset(arena.data(), 0, arena.size());
  return done();
}

Status Instance::State::pack_resident(std::size_t step) {
  const program::TilePlan& tile = program.plan.steps[step].tiles[0];
  if (!tile.is_resident) return done();
  const program::PackedWeights& weights = *program.lowered.steps[step]->weights;
  const std::uint64_t staging = weights.good_staging(tile.units);
  return weights.fetch(services.weights, tile.units,
                       arena.first(std::min<std::uint64_t>(arena.size(), staging)),
                       reinterpret_cast<float*>(resident.data() + tile.offset));
}

Status Instance::reload(ValueId parameter) {
  if (state_->is_running) return Error(ErrorCode::kUsage, "a run is under way");
  bool is_found = false;
  for (std::size_t i = 0; i < state_->program.lowered.steps.size(); ++i) {
    const program::PackedWeights* weights = state_->program.lowered.steps[i]->weights.get();
    if (weights == nullptr || weights->bytes.folded || weights->value != parameter) continue;
    is_found = true;
    TRY(state_->pack_resident(i));
  }
  if (is_found) return done();
  return Error(ErrorCode::kUnsupported,
               "value " + std::to_string(parameter) +
                   " is not a parameter that the program reads from the weights");
}

View Instance::State::view(const Place& place) const {
  switch (place.kind) {
    case Place::Kind::kArena:
      return {arena.data() + place.offset, 0};
    case Place::Kind::kResident:
      return {resident.data() + place.offset, 0};
    case Place::Kind::kInput:
      return {inputs[place.index], 0};
    case Place::Kind::kOutput:
      return {outputs[place.index], 0};
    case Place::Kind::kConstant:
      // Steps do not write to their inputs.
      return {const_cast<std::uint8_t*>(program.lowered.constants[place.index]->data()), 0};
    case Place::Kind::kWindow:
      return {};
  }
  return {};
}

void Instance::State::place_views() {
  std::size_t at_view = 0;
  for (const StepPlan& step : program.plan.steps) {
    for (const Place& place : step.inputs) views[at_view++] = view(place);
    for (const Place& place : step.outputs) views[at_view++] = view(place);
  }
}

Status Instance::State::start(std::span<const ConstTensor> given, std::span<const Tensor> wanted) {
  if (is_running) return Error(ErrorCode::kUsage, "a run is under way");
  if (given.size() != program.inputs.size() || wanted.size() != program.outputs.size()) {
    return Error(ErrorCode::kUsage, "a run takes " + std::to_string(program.inputs.size()) +
                                        " inputs and " + std::to_string(program.outputs.size()) +
                                        " outputs");
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!(given[i].type == program.inputs[i])) {
      return Error(ErrorCode::kUsage, "input " + std::to_string(i) + " is not " +
                                          to_string(program.inputs[i].dtype) +
                                          to_string(program.inputs[i].shape));
    }
    inputs[i] = const_cast<std::uint8_t*>(given[i].data);  // steps do not write to their inputs
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!(wanted[i].type == program.outputs[i])) {
      return Error(ErrorCode::kUsage, "output " + std::to_string(i) + " is not " +
                                          to_string(program.outputs[i].dtype) +
                                          to_string(program.outputs[i].shape));
    }
    outputs[i] = wanted[i].data;
  }
  place_views();
  if (!program.plan.fetches.empty()) fetcher.restart(arena);
  at = 0;
  phase = Phase::kWeights;
  is_running = true;
  return done();
}

// Leaves nothing of the run behind but the answer, and not even that unless it is right.
void Instance::State::end(bool succeeded) {
  const program::Plan& plan = program.plan;
  if (ticket) services.backend->cancel(*std::exchange(ticket, std::nullopt));
  if (!plan.fetches.empty()) {
    fetcher.stop();
    std::memset(arena.data(), 0, arena.size());
  }
  for (std::uint64_t block = 0; block < plan.block_count; ++block) services.spill->forget(block);
  for (std::size_t i = 0; !succeeded && i < outputs.size(); ++i) {
    const std::uint64_t size = program.outputs[i].size();
    if (size > 0) std::memset(outputs[i], 0, size);
  }
  is_running = false;
}

Status Instance::begin(std::span<const ConstTensor> inputs, std::span<const Tensor> outputs) {
  return state_->start(inputs, outputs);
}

Result<bool> Instance::advance() {
  return state_->advance();
}

bool Instance::is_waiting() const {
  return state_->ticket.has_value();
}

void Instance::abandon() {
  if (state_->is_running) state_->end(false);
}

Status Instance::run(std::span<const ConstTensor> inputs, std::span<const Tensor> outputs) {
  TRY(begin(inputs, outputs));
  for (;;) {
    auto finished = state_->advance();
    if (!finished.ok()) {
      abandon();
      return std::move(finished).take_error();
    }
    if (*finished) return done();
  }
}

}  // namespace sealpack::nn
