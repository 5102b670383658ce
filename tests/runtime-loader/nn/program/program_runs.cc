// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/program/program_runs.h"

#include <algorithm>
#include <cmath>

namespace sealpack::nn::testing {
namespace {

std::vector<TensorType> input_types(const Graph& graph) {
  std::vector<TensorType> types;
  for (const ValueId id : graph.inputs) {
    std::vector<std::int64_t> dims;
    for (const Dimension& dim : *graph.values[id].dimensions) dims.push_back(dim.value);
    types.push_back({*graph.values[id].dtype, Shape::make(dims).value()});
  }
  return types;
}

}  // namespace

Subject::Subject(const GraphBuilder& builder, std::uint32_t seed)
    : graph_(builder.graph()),
      file_(builder.file()),
      weights_({&file_}),
      inputs_(random_inputs(input_types(*graph_), seed)) {}

Result<Program> Subject::compile(const CompileOptions& options) {
  return Program::compile(graph_, weights_, options);
}

Result<std::vector<OwnedTensor>> Subject::run(const CompileOptions& options) {
  const Program program = TRY(compile(options));
  BudgetMemory memory(options.memory_limit);
  MapSpill spill;
  ThreadWorkers workers(options.threads);
  ThreadBackground background;
  return run(program, {weights_, memory, &spill, workers, background});
}

Result<std::vector<OwnedTensor>> Subject::run(const Program& program,
                                              const InstanceServices& services) {
  Instance instance = TRY(Instance::create(program, services));
  std::vector<OwnedTensor> outputs = make_outputs(program);
  TRY(instance.run(reading(inputs_), writing(outputs)));
  outputs = make_outputs(program);
  TRY(instance.run(reading(inputs_), writing(outputs)));
  return outputs;
}

std::vector<OwnedTensor> Subject::interpreted() const {
  auto outputs = interpret(*graph_, file_, inputs_);
  if (!outputs.ok()) die(outputs.error().message().c_str());
  return std::move(*outputs);
}

std::vector<ConstTensor> reading(const std::vector<OwnedTensor>& tensors) {
  std::vector<ConstTensor> found;
  for (const OwnedTensor& tensor : tensors) found.push_back(tensor.view());
  return found;
}

std::vector<Tensor> writing(std::vector<OwnedTensor>& tensors) {
  std::vector<Tensor> found;
  for (OwnedTensor& tensor : tensors) found.push_back(tensor.view());
  return found;
}

std::vector<OwnedTensor> make_outputs(const Program& program) {
  std::vector<OwnedTensor> outputs;
  for (const TensorType& type : program.output_types()) outputs.emplace_back(type);
  return outputs;
}

bool same_bytes(const std::vector<OwnedTensor>& a, const std::vector<OwnedTensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const OwnedTensor& x, const OwnedTensor& y) {
                      return std::ranges::equal(x.bytes(), y.bytes());
                    });
}

double largest_difference(const OwnedTensor& tensor, const OwnedTensor& reference) {
  if (!(tensor.type() == reference.type())) return 1e30;
  const auto a = tensor.view().elements<float>(), b = reference.view().elements<float>();
  double difference = 0, largest = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return 1e30;
    difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return difference / largest;
}

}  // namespace sealpack::nn::testing
