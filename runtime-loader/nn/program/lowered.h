// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "runtime-loader/nn/program/bound.h"
#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// What a step reads or writes. Several may share bytes: `root` says whose.
struct PlanTensor {
  enum class Home { kMemory, kInput, kOutput, kConstant };
  Home home = Home::kMemory;
  std::uint32_t index = 0;  // of the graph's input or output, or of the constant
  TensorType type;          // as ONNX has it, whatever the layout
  std::uint64_t size = 0;   // bytes
  TensorId root = kNoTensor;
  bool is_weights = false;  // a LoadStep's: the same in every run
};

// A graph as steps in the order they run, independent of memory and threads.
struct Lowered {
  std::vector<PlanTensor> tensors;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::shared_ptr<const WipedBytes>> constants;

  std::uint64_t constants_size() const;
};

struct LowerOptions {
  const kernels::Kernels* kernels = nullptr;
  std::set<std::uint32_t> backend_nodes;
};

Result<Lowered> lower(BoundGraph& bound, const LowerOptions& options);

}  // namespace sealpack::nn::program
