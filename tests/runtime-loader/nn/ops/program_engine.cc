// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/ops/program_engine.h"

#include <algorithm>

#include "runtime-loader/nn/program/program.h"

namespace sealpack::nn::testing {
namespace {

class FileWeights final : public WeightSource {
 public:
  explicit FileWeights(const BlockSource& model) : model_(model) {}
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override {
    if (file != 0) return Error(ErrorCode::kIo, "no external data");
    return model_.read_at(offset, out);
  }

 private:
  const BlockSource& model_;
};

// The graph with its inputs declared as they are: some published data contradict the declaration.
Graph with_shapes(Graph graph, const std::vector<OwnedTensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<Dimension> dimensions;
    for (const std::int64_t dim : inputs[i].type().shape.dims()) dimensions.push_back({dim, ""});
    graph.values[graph.inputs[i]].dimensions = std::move(dimensions);
  }
  return graph;
}

// A graph some of whose inputs have become constants, with the inputs that are left.
struct BoundGraph {
  std::shared_ptr<const Graph> graph;
  std::vector<OwnedTensor> inputs;
};

bool may_shape_others(const OwnedTensor& tensor) {
  const DType type = tensor.type().dtype;
  const bool is_float =
      type == DType::kF32 || type == DType::kF64 || type == DType::kF16 || type == DType::kBF16;
  return !is_float || tensor.type().shape.element_count() <= 8;
}

BoundGraph with_constants(const Graph& graph, const std::vector<OwnedTensor>& inputs) {
  auto bound = std::make_shared<Graph>(graph);
  std::vector<OwnedTensor> left;
  bound->inputs.clear();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = graph.inputs[i];
    if (!may_shape_others(inputs[i])) {
      bound->inputs.push_back(id);
      left.push_back(inputs[i]);
      continue;
    }
    StoredTensor stored;
    stored.type = inputs[i].type();
    stored.bytes = to_vector(inputs[i].bytes());
    bound->values[id].stored = std::move(stored);
  }
  return {std::move(bound), std::move(left)};
}

Result<std::vector<OwnedTensor>> run_bound(const BoundGraph& bound, const BlockSource& model) {
  FileWeights weights(model);
  HeapMemory memory;
  CompileOptions options;
  options.may_spill = false;
  const Program program = TRY(Program::compile(bound.graph, weights, options));
  Instance instance = TRY(Instance::create(program, {weights, memory}));
  std::vector<ConstTensor> inputs;
  for (const OwnedTensor& input : bound.inputs) inputs.push_back(input.view());
  std::vector<OwnedTensor> results;
  std::vector<Tensor> outputs;
  for (const TensorType& type : program.output_types()) results.emplace_back(type);
  for (OwnedTensor& result : results) outputs.push_back(result.view());
  TRY(instance.run(inputs, outputs));
  return results;
}

}  // namespace

Result<std::vector<OwnedTensor>> run_as_program(const Graph& graph, const BlockSource& model,
                                                const std::vector<OwnedTensor>& inputs) {
  if (inputs.size() != graph.inputs.size()) {
    return Error(ErrorCode::kUsage, std::to_string(inputs.size()) + " inputs");
  }
  const Graph shaped = with_shapes(graph, inputs);
  auto results = run_bound({std::make_shared<Graph>(shaped), inputs}, model);
  if (results.ok() || results.error().code() != ErrorCode::kUnsupported) return results;
  return run_bound(with_constants(shaped, inputs), model);
}

}  // namespace sealpack::nn::testing
