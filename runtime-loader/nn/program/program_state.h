// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/lowered.h"
#include "runtime-loader/nn/program/plan.h"
#include "runtime-loader/nn/program/program.h"

namespace sealpack::nn {

struct Program::State {
  std::shared_ptr<const Graph> graph;
  program::Lowered lowered;
  program::Plan plan;
  ProgramCosts costs;
  std::vector<TensorType> inputs, outputs;
  const kernels::Kernels* kernels = nullptr;
};

}  // namespace sealpack::nn
