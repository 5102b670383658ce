// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/runtime-loader/nn/program/graph_builder.h"
#include "tests/runtime-loader/nn/program/services_in_memory.h"

namespace sealpack::nn::testing {

// A built graph with its weights and inputs, ready to be compiled and run in several ways.
class Subject {
 public:
  explicit Subject(const GraphBuilder& builder, std::uint32_t seed = 7);

  Result<Program> compile(const CompileOptions& options = {});
  // Compiles, runs twice within the limit and gives back the second answer.
  Result<std::vector<OwnedTensor>> run(const CompileOptions& options = {});
  // Runs a program that is there already, with what it needs in memory.
  Result<std::vector<OwnedTensor>> run(const Program& program, const InstanceServices& services);
  std::vector<OwnedTensor> interpreted() const;

  const Graph& graph() const { return *graph_; }
  const std::vector<OwnedTensor>& inputs() const { return inputs_; }
  WeightSource& weights() { return weights_; }

 private:
  std::shared_ptr<const Graph> graph_;
  MemorySource file_;
  PlainWeights weights_;
  std::vector<OwnedTensor> inputs_;
};

std::vector<ConstTensor> reading(const std::vector<OwnedTensor>& tensors);
std::vector<Tensor> writing(std::vector<OwnedTensor>& tensors);
std::vector<OwnedTensor> make_outputs(const Program& program);
bool same_bytes(const std::vector<OwnedTensor>& a, const std::vector<OwnedTensor>& b);
// The largest difference, relative to the largest number of the second.
double largest_difference(const OwnedTensor& tensor, const OwnedTensor& reference);

}  // namespace sealpack::nn::testing
