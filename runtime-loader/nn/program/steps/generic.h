// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator.h"
#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// A node as its operator does it, on dense tensors that are all in memory.
class GenericStep final : public Step {
 public:
  const Node* node = nullptr;
  std::int64_t opset = 0;
  // One an input of the node; `operand` says which of the step's, -1 where it is left out.
  std::vector<TensorType> input_types, output_types;
  std::vector<int> input_operands, output_operands;
  std::uint64_t scratch_size = 0;

  std::uint64_t scratch(unsigned threads) const override;
  Status run(const Work& work) const override;
};

// What the operator may take from Memory while it runs, at most, as far as its types tell.
std::uint64_t operator_scratch(const Node& node, std::span<const TensorType> inputs,
                               std::span<const TensorType> outputs);

}  // namespace sealpack::nn::program
