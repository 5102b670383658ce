// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/program.h"

#include "runtime-loader/nn/program/bound.h"
#include "runtime-loader/nn/program/program_state.h"

namespace sealpack::nn {

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Result<Program> Program::compile(std::shared_ptr<const Graph> graph, WeightSource& weights,
                                 const CompileOptions& options) {
  auto state = std::make_unique<State>();
  state->kernels = options.kernels != nullptr ? options.kernels : &kernels::best_kernels();
  program::BoundGraph bound = TRY(program::BoundGraph::bind(*graph, weights, options));
  for (const ValueId id : graph->inputs) state->inputs.push_back(bound.type(id));
  for (const ValueId id : graph->outputs) state->outputs.push_back(bound.type(id));
  state->lowered = TRY(program::lower(bound, {state->kernels, options.backend_nodes}));
  auto planned = TRY(program::find_plan(state->lowered, options));
  state->plan = std::move(planned.plan);
  state->costs = std::move(planned.costs);
  state->graph = std::move(graph);
  return Program(std::move(state));
}

const Graph& Program::graph() const {
  return *state_->graph;
}

const ProgramCosts& Program::costs() const {
  return state_->costs;
}

std::vector<TensorType> Program::input_types() const {
  return state_->inputs;
}

std::vector<TensorType> Program::output_types() const {
  return state_->outputs;
}

}  // namespace sealpack::nn
