// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/ops/interpreter.h"

#include <cstdlib>
#include <cstring>

#include "runtime-loader/nn/ops/operator.h"

namespace sealpack::nn::testing {

OwnedTensor::OwnedTensor(TensorType type)
    : type_(type), lines_(static_cast<std::size_t>(type.size()) / sizeof(Line) + 1) {}

OwnedTensor::OwnedTensor(TensorType type, Bytes bytes) : OwnedTensor(type) {
  if (bytes.size() != type.size()) die("an OwnedTensor of another size");
  if (!bytes.empty()) std::memcpy(lines_.data(), bytes.data(), bytes.size());
}

Tensor OwnedTensor::view() {
  return {type_, lines_.empty() ? nullptr : lines_.front().bytes};
}

ConstTensor OwnedTensor::view() const {
  return {type_, lines_.empty() ? nullptr : lines_.front().bytes};
}

Bytes OwnedTensor::bytes() const {
  return {lines_.front().bytes, static_cast<std::size_t>(type_.size())};
}

HeapMemory::~HeapMemory() {
  if (held_ != 0) die("memory was not released");
}

Result<MutableBytes> HeapMemory::allocate(std::size_t size) {
  if (size > limit_ - held_) return Error(ErrorCode::kLimit, "over the limit of this memory");
  void* block = std::aligned_alloc(64, (size + 64) / 64 * 64);
  if (block == nullptr) return Error(ErrorCode::kLimit, "out of memory");
  std::memset(block, 0xa5, size);
  held_ += size;
  return MutableBytes{static_cast<std::uint8_t*>(block), size};
}

void HeapMemory::release(MutableBytes block) {
  held_ -= block.size();
  std::free(block.data());
}

Result<Graph> load_without_files(const BlockSource& model) {
  return load_graph(model, [](std::string_view path) -> Result<std::uint64_t> {
    return Error(ErrorCode::kIo, "no file " + printable(path));
  });
}

Result<OwnedTensor> read_stored(const StoredTensor& stored, const BlockSource& model) {
  if (stored.is_inline) return OwnedTensor(stored.type, stored.bytes);
  if (stored.file != 0) return Error(ErrorCode::kUnsupported, "external data");
  if (stored.type.size() > model.size()) return Error(ErrorCode::kIo, "past the end");
  OwnedTensor tensor(stored.type);
  TRY(model.read_at(stored.offset, {tensor.view().data, tensor.bytes().size()}));
  return tensor;
}

namespace {

class Interpreter {
 public:
  Interpreter(const Graph& graph, const BlockSource& model)
      : graph_(graph), model_(model), values_(graph.values.size()) {}

  Result<std::vector<OwnedTensor>> run(const std::vector<OwnedTensor>& inputs) {
    if (inputs.size() != graph_.inputs.size()) {
      return Error(ErrorCode::kUsage, std::to_string(inputs.size()) + " inputs");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) values_[graph_.inputs[i]] = inputs[i];
    for (std::size_t id = 0; id < values_.size(); ++id) {
      const auto& stored = graph_.values[id].stored;
      if (stored) values_[id] = TRY(read_stored(*stored, model_));
    }
    for (const Node& node : graph_.nodes) TRY(run_one(node));
    std::vector<OwnedTensor> outputs;
    for (const ValueId id : graph_.outputs) outputs.push_back(values_[id]);
    return outputs;
  }

 private:
  Status run_one(const Node& node) {
    InferContext infer{node, graph_.opset, {}, {}};
    RunContext run{node, graph_.opset, {}, {}, memory_, no_workers()};
    for (const ValueId id : node.inputs) {
      const bool there = id != kNoValue;
      infer.inputs.push_back(there ? &values_[id].type() : nullptr);
      run.inputs.push_back(there ? std::as_const(values_[id]).view() : ConstTensor{});
    }
    infer.constants = run.inputs;
    const std::vector<TensorType> types = TRY(infer_node(infer));
    std::uint64_t size = 0;
    for (const TensorType& type : types) size += type.size();
    if (size > kMostOutput) return Error(ErrorCode::kLimit, "outputs too large for a test");
    for (std::size_t i = 0; i < types.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id != kNoValue) values_[id] = OwnedTensor(types[i]);
      run.outputs.push_back(id != kNoValue ? values_[id].view() : Tensor{types[i], nullptr});
    }
    return run_node(run);
  }

  static constexpr std::uint64_t kMostOutput = std::uint64_t{1} << 26U;
  const Graph& graph_;
  const BlockSource& model_;
  std::vector<OwnedTensor> values_;
  HeapMemory memory_;
};

}  // namespace

Result<std::vector<OwnedTensor>> interpret(const Graph& graph, const BlockSource& model,
                                           const std::vector<OwnedTensor>& inputs) {
  return Interpreter(graph, model).run(inputs);
}

}  // namespace sealpack::nn::testing
