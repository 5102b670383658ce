// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/fetcher.h"
#include "runtime-loader/nn/program/program_state.h"

namespace sealpack::nn {

struct Instance::State {
  State(const Program::State& of, const InstanceServices& given)
      : program(of),
        services(given),
        fetcher(of.lowered, of.plan, given.weights, given.background) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  Status prepare();
  Status pack_resident(std::size_t step);
  Status start(std::span<const ConstTensor> inputs, std::span<const Tensor> outputs);
  Result<bool> advance();
  void end(bool succeeded);

  // What a window holds: bytes [first, last) of its tensor.
  struct Window {
    std::uint64_t first = 0, last = 0;
    std::uint64_t stored = 0;  // of an output: up to here it is in the spill store
  };
  // How far the current item is, so that a failure can be tried again.
  enum class Phase { kWeights, kOpen, kLoad, kCompute, kStore };

  void place_views();
  program::View view(const program::Place& place) const;
  bool is_first_tile() const { return item().tile == 0; }
  const program::Item& item() const { return program.plan.items[at]; }
  void open_windows();
  void open_window(const program::WindowPlan& plan, Window& window);
  Status load_windows();
  Status load_window(const program::WindowPlan& plan, Window& window);
  Result<bool> compute();
  Result<bool> compute_elsewhere();
  Status store_windows();
  Status store_window(const program::WindowPlan& plan, Window& window);
  program::Range bytes_of(const program::WindowPlan& plan) const;

  const Program::State& program;
  InstanceServices services;
  program::Fetcher fetcher;
  MutableBytes resident, arena;
  std::vector<std::uint8_t*> inputs, outputs;
  std::vector<std::size_t> first_view;  // of each step, in `views`: inputs, then outputs
  std::vector<program::View> views;
  std::vector<Window> windows;                  // of the current step
  std::optional<LinearBackend::Ticket> ticket;  // what a backend is at work on
  bool is_running = false;
  std::uint32_t at = 0;  // item
  Phase phase = Phase::kWeights;
};

}  // namespace sealpack::nn
