// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime-loader/nn/program/instance_state.h"
#include "runtime-loader/nn/program/steps/backend.h"

// One item of the schedule after the other.
namespace sealpack::nn {

using program::BackendStep;
using program::Item;
using program::kNoIndex;
using program::kSpillBlock;
using program::Range;
using program::Step;
using program::StepPlan;
using program::View;
using program::WindowPlan;

Result<bool> Instance::State::advance() {
  if (!is_running) return Error(ErrorCode::kUsage, "no run is under way");
  if (at < program.plan.items.size()) {
    if (phase == Phase::kWeights) {
      if (!program.plan.fetches.empty()) fetcher.reach(at);
      if (item().fetch != kNoIndex) {
        TRY(fetcher.require(item().fetch));
        // What was waited for ended the job: the next fetches go on while this item computes.
        fetcher.reach(at);
      }
      phase = Phase::kOpen;
    }
    if (phase == Phase::kOpen) {
      open_windows();
      phase = Phase::kLoad;
    }
    if (phase == Phase::kLoad) {
      TRY(load_windows());
      phase = Phase::kCompute;
    }
    if (phase == Phase::kCompute) {
      if (!TRY(compute())) return false;
      phase = Phase::kStore;
    }
    TRY(store_windows());
    phase = Phase::kWeights;
    ++at;
  }
  if (at < program.plan.items.size()) return false;
  end(true);
  return true;
}

// False while a backend is still at work.
Result<bool> Instance::State::compute() {
  const Item& now = item();
  const StepPlan& plan = program.plan.steps[now.step];
  const Step& step = *program.lowered.steps[now.step];
  if (step.is_backend) return compute_elsewhere();
  const program::TilePlan& tile = plan.tiles[now.tile];
  const View* first = views.data() + first_view[now.step];
  const std::uint8_t* packed = nullptr;
  if (tile.is_resident) packed = resident.data() + tile.offset;
  if (now.fetch != kNoIndex) packed = arena.data() + program.plan.fetches[now.fetch].offset;
  TRY(step.run({{first, plan.inputs.size()},
                {first + plan.inputs.size(), plan.outputs.size()},
                plan.strips[now.strip],
                tile.units,
                reinterpret_cast<const float*>(packed),
                arena.data() + plan.scratch_offset,
                plan.scratch_size,
                program.plan.threads,
                *program.kernels,
                services.workers}));
  return true;
}

Result<bool> Instance::State::compute_elsewhere() {
  const auto& step = static_cast<const BackendStep&>(*program.lowered.steps[item().step]);
  const View* first = views.data() + first_view[item().step];
  if (!ticket) {
    ticket = TRY(services.backend->submit(step.node, {step.input_type, first[0].at(0)},
                                          {step.output_type, first[1].at(0)}));
  }
  auto is_there = services.backend->poll(*ticket);
  if (!is_there.ok() || *is_there) ticket.reset();
  return is_there;
}

// Bytes of the operand that the current strip touches.
Range Instance::State::bytes_of(const WindowPlan& plan) const {
  const Step& step = *program.lowered.steps[item().step];
  const Range rows = program.plan.steps[item().step].strips[item().strip];
  return plan.is_output ? step.output_bytes(plan.operand, rows)
                        : step.input_bytes(plan.operand, rows);
}

void Instance::State::open_windows() {
  const StepPlan& plan = program.plan.steps[item().step];
  if (!is_first_tile()) return;
  for (std::size_t i = 0; i < plan.windows.size(); ++i) {
    if (item().strip == 0) windows[i] = {};
    open_window(plan.windows[i], windows[i]);
    const std::size_t operand =
        plan.windows[i].operand + (plan.windows[i].is_output ? plan.inputs.size() : 0);
    views[first_view[item().step] + operand] = {arena.data() + plan.windows[i].offset,
                                                windows[i].first};
  }
}

// Moves the window to where the strip begins and keeps what it already has from there on: the rows
// that two strips share, or the begun block of an output.
void Instance::State::open_window(const WindowPlan& plan, Window& window) {
  const Range bytes = bytes_of(plan);
  const std::uint64_t first = program::window_cover(bytes, plan.tensor_size).first;
  std::uint8_t* data = arena.data() + plan.offset;
  if (window.last > first) {
    std::memmove(data, data + (first - window.first), window.last - first);
  }
  window.first = first;
  window.last = std::max(window.last, first);
}

Status Instance::State::load_windows() {
  const StepPlan& plan = program.plan.steps[item().step];
  if (!is_first_tile()) return done();
  for (std::size_t i = 0; i < plan.windows.size(); ++i) {
    if (!plan.windows[i].is_output) TRY(load_window(plan.windows[i], windows[i]));
  }
  return done();
}

Status Instance::State::load_window(const WindowPlan& plan, Window& window) {
  const Range cover = program::window_cover(bytes_of(plan), plan.tensor_size);
  std::uint8_t* data = arena.data() + plan.offset;
  while (window.last < cover.last) {
    const std::uint64_t size = std::min(kSpillBlock, plan.tensor_size - window.last);
    TRY(services.spill->load(plan.first_block + window.last / kSpillBlock,
                             MutableBytes(data + (window.last - window.first), size)));
    window.last += size;
  }
  return done();
}

Status Instance::State::store_windows() {
  const StepPlan& plan = program.plan.steps[item().step];
  if (item().tile + 1 != plan.tiles.size()) return done();
  for (std::size_t i = 0; i < plan.windows.size(); ++i) {
    if (plan.windows[i].is_output) TRY(store_window(plan.windows[i], windows[i]));
  }
  return done();
}

// Whole blocks go; a begun one waits for the next strip, unless there is none.
Status Instance::State::store_window(const WindowPlan& plan, Window& window) {
  const std::uint64_t last = bytes_of(plan).last;
  const std::uint8_t* data = arena.data() + plan.offset;
  window.last = std::max(window.last, last);
  while (window.stored < last) {
    const std::uint64_t size = std::min(kSpillBlock, plan.tensor_size - window.stored);
    if (window.stored + size > last) break;
    TRY(services.spill->store(plan.first_block + window.stored / kSpillBlock,
                              Bytes(data + (window.stored - window.first), size)));
    window.stored += size;
  }
  return done();
}

}  // namespace sealpack::nn
