// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <deque>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/bound.h"

namespace sealpack::nn::program {
namespace {

// Scratch for operators that run while a program is compiled.
class FoldMemory : public Memory {
 public:
  Result<MutableBytes> allocate(std::size_t size) override {
    if (size > 16 * kFoldLimit) {
      return Error(ErrorCode::kLimit, "a constant needs " + format_size(size) + " to compute");
    }
    blocks_.emplace_back(size + kAlignment);
    const auto at = reinterpret_cast<std::uintptr_t>(blocks_.back().data());
    return MutableBytes(blocks_.back()).subspan((kAlignment - at % kAlignment) % kAlignment, size);
  }
  void release(MutableBytes block) override { std::memset(block.data(), 0, block.size()); }

 private:
  static constexpr std::size_t kAlignment = 64;
  std::deque<WipedBytes> blocks_;
};

bool is_about_types(const Node& node) {
  return node.op == "Shape" || node.op == "Size";
}

}  // namespace

Result<std::shared_ptr<const WipedBytes>> BoundGraph::contents(ValueId id, std::uint64_t limit) {
  BoundValue& value = values_[id];
  if (value.constant) {
    return value.constant->size() <= limit ? value.constant : nullptr;
  }
  if (!value.stored || !value.type || value.type->size() > limit) {
    return std::shared_ptr<const WipedBytes>();
  }
  if (!value.stored->is_plain(*value.type)) return std::shared_ptr<const WipedBytes>();
  auto bytes = std::make_shared<WipedBytes>(value.type->size());
  auto status = value.stored->bytes.read(*weights_, 0, *bytes);
  if (!status.ok()) {
    return std::move(status).take_error().within(printable(graph_->values[id].name));
  }
  return std::shared_ptr<const WipedBytes>(std::move(bytes));
}

Result<Floats> BoundGraph::floats(ValueId id, std::uint64_t limit) {
  Floats values;
  if (!values_[id].type || values_[id].type->dtype != DType::kF32) return values;
  const auto bytes = TRY(contents(id, limit));
  if (!bytes) return values;
  values.resize(bytes->size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

// Whether all inputs are known and these and the outputs are at most `limit` bytes each.
bool BoundGraph::may_fold(const Node& node, const std::vector<TensorType>& types,
                          std::uint64_t limit) const {
  for (const TensorType& type : types) {
    if (type.size() > limit) return false;
  }
  if (is_about_types(node)) return true;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    const BoundValue& value = values_[id];
    if (!value.constant && !(value.stored && value.stored->is_plain(*value.type))) return false;
    if (value.type->size() > limit) return false;
  }
  return true;
}

// Runs the node on what is known.
Status BoundGraph::fold(const Node& node, const std::vector<TensorType>& types) {
  FoldMemory memory;
  RunContext context{node, graph_->opset, {}, {}, memory, no_workers()};
  std::vector<std::shared_ptr<const WipedBytes>> inputs;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) {
      context.inputs.push_back({});
      continue;
    }
    static constexpr std::uint8_t kNothing = 0;
    inputs.push_back(is_about_types(node) ? nullptr : TRY(contents(id)));
    const bool has_bytes = inputs.back() && !inputs.back()->empty();
    context.inputs.push_back({*values_[id].type, has_bytes ? inputs.back()->data() : &kNothing});
  }
  std::vector<MutableBytes> outputs;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool wanted = i < node.outputs.size() && node.outputs[i] != kNoValue;
    outputs.push_back(TRY(memory.allocate(types[i].size())));
    context.outputs.push_back({types[i], wanted ? outputs.back().data() : nullptr});
  }
  TRY(find_operator(node.op, graph_->opset)->run(context));
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    values_[node.outputs[i]].constant =
        std::make_shared<const WipedBytes>(outputs[i].begin(), outputs[i].end());
  }
  return done();
}

// True if the output is a view of something stored.
Result<bool> BoundGraph::view(const Node& node, const TensorType& type) {
  if (node.inputs.empty() || node.inputs[0] == kNoValue) return false;
  if (node.outputs.empty() || node.outputs[0] == kNoValue) return false;
  const BoundValue& source = values_[node.inputs[0]];
  if (!source.stored) return false;
  StoredView view = *source.stored;
  if (node.op == "Identity") {
    // as it is
  } else if (node.op == "Reshape" || node.op == "Squeeze" || node.op == "Unsqueeze" ||
             node.op == "Flatten") {
    if (view.swapped || view.scale.size() > 1) return false;
  } else if (node.op == "Transpose") {
    const auto* perm = TRY(ints_attribute(node, "perm"));
    const bool swaps = type.shape.rank() == 2 && (perm == nullptr || (*perm)[0] == 1);
    if (!swaps) return false;
    view.swapped = !view.swapped;
    view.axis = 1 - view.axis;
  } else if (node.op == "Cast") {
    if (type.dtype != DType::kF32 || view.stored.dtype != DType::kF16) return false;
  } else if (node.op == "DequantizeLinear") {
    if (!TRY(view_dequantized(node, view))) return false;
  } else {
    return false;
  }
  values_[node.outputs[0]].stored = std::move(view);
  return true;
}

Result<bool> BoundGraph::view_dequantized(const Node& node, StoredView& view) {
  const DType stored = view.stored.dtype;
  if (stored != DType::kI8 && stored != DType::kU8) return false;
  view.scale = TRY(floats(node.inputs[1]));
  if (view.scale.empty()) return false;
  view.zero.assign(view.scale.size(), 0);
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const auto zero = TRY(contents(node.inputs[2]));
    if (!zero || zero->size() != view.scale.size()) return false;
    view.zero = *zero;
  }
  const TensorType& type = *values_[node.outputs[0]].type;
  if (view.scale.size() > 1) {
    view.axis = TRY(axis_attribute(node, "axis", 1, type.shape.rank()));
  }
  return true;
}

}  // namespace sealpack::nn::program
