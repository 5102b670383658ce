// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "runtime-loader/nn/ops/operator.h"

// An ONNX file of anybody's making: read, then typed node by node with symbolic dimensions as 1,
// and run where all inputs are small constants, as folding does.
namespace sealpack::nn {
namespace {

constexpr std::uint64_t kMostBytes = 4096;  // of a tensor that is computed

// Blocks from the heap, up to a total.
class FuzzMemory final : public Memory {
 public:
  Result<MutableBytes> allocate(std::size_t size) override {
    if (size > kLimit - held_) return Error(ErrorCode::kLimit, "no more memory");
    held_ += size;
    auto* block = new (std::align_val_t{64}) std::uint8_t[size];
    return MutableBytes{block, size};
  }
  void release(MutableBytes block) override {
    held_ -= block.size();
    operator delete[](block.data(), std::align_val_t{64});
  }

 private:
  static constexpr std::size_t kLimit = std::size_t{1} << 22U;
  std::size_t held_ = 0;
};

struct FuzzValue {
  std::optional<TensorType> type;
  std::shared_ptr<std::vector<std::uint64_t>> contents;

  ConstTensor view() const {
    const auto* data = contents == nullptr ? nullptr : contents->data();
    return {type.value_or(TensorType{}), reinterpret_cast<const std::uint8_t*>(data)};
  }
};

std::shared_ptr<std::vector<std::uint64_t>> make_contents(const TensorType& type) {
  return std::make_shared<std::vector<std::uint64_t>>(static_cast<std::size_t>(type.size()) / 8 +
                                                      1);
}

FuzzValue start_value(const Value& value) {
  FuzzValue start;
  if (value.stored) {
    start.type = value.stored->type;
    if (!value.stored->is_inline || start.type->size() > kMostBytes) return start;
    start.contents = make_contents(*start.type);
    std::copy(value.stored->bytes.begin(), value.stored->bytes.end(),
              reinterpret_cast<std::uint8_t*>(start.contents->data()));
  } else if (value.dtype && value.dimensions) {
    std::vector<std::int64_t> dims;
    for (const Dimension& dim : *value.dimensions) dims.push_back(dim.value < 0 ? 1 : dim.value);
    const auto shape = Shape::make(dims);
    if (shape.ok()) start.type = TensorType{*value.dtype, *shape};
  }
  return start;
}

// False where the node cannot be typed.
bool fold(const Graph& graph, const Node& node, std::vector<FuzzValue>& values) {
  FuzzMemory memory;
  InferContext infer{node, graph.opset, {}, {}};
  bool is_constant = true;
  for (const ValueId id : node.inputs) {
    const bool there = id != kNoValue;
    if (there && !values[id].type) return false;
    infer.inputs.push_back(there ? &*values[id].type : nullptr);
    infer.constants.push_back(there ? values[id].view() : ConstTensor{});
    is_constant = is_constant && (!there || values[id].contents != nullptr);
  }
  const auto types = infer_node(infer);
  if (!types.ok()) return false;
  RunContext run{node, graph.opset, infer.constants, {}, memory, no_workers()};
  for (std::size_t i = 0; i < types->size(); ++i) {
    is_constant = is_constant && (*types)[i].size() <= kMostBytes;
  }
  for (std::size_t i = 0; i < types->size(); ++i) {
    run.outputs.push_back({(*types)[i], nullptr});
    if (node.outputs[i] == kNoValue) continue;
    FuzzValue& value = values[node.outputs[i]];
    value.type = (*types)[i];
    if (!is_constant) continue;
    value.contents = make_contents((*types)[i]);
    run.outputs.back().data = reinterpret_cast<std::uint8_t*>(value.contents->data());
  }
  return !is_constant || run_node(run).ok();
}

void fuzz(Bytes bytes) {
  const MemorySource source(to_vector(bytes));
  const auto graph = load_graph(
      source, [](std::string_view) -> Result<std::uint64_t> { return std::uint64_t{1} << 20U; });
  if (!graph.ok()) return;
  std::vector<FuzzValue> values;
  values.reserve(graph->values.size());
  for (const Value& value : graph->values) values.push_back(start_value(value));
  for (const Node& node : graph->nodes) {
    if (!fold(*graph, node, values)) return;
  }
}

}  // namespace
}  // namespace sealpack::nn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sealpack::nn::fuzz({data, size});
  return 0;
}
