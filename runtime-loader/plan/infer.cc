// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/infer.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <set>

#include "runtime-loader/nn/ops/operator.h"

namespace sealpack::plan {
namespace {

constexpr std::uint64_t kMaxFolded = std::uint64_t{64} << 10U;
constexpr std::align_val_t kAlignment{64};

class Inferrer {
 public:
  Inferrer(const nn::Graph& graph, nn::WeightSource& weights)
      : graph_(graph),
        weights_(weights),
        types_(graph.values.size()),
        contents_(graph.values.size()) {}

  Result<std::vector<std::optional<nn::TensorType>>> run(const SymbolSizes& sizes) {
    for (const nn::ValueId input : graph_.inputs) type_input(input, sizes);
    for (std::size_t i = 0; i < graph_.values.size(); ++i) {
      if (graph_.values[i].stored) TRY(load(i, *graph_.values[i].stored));
    }
    for (const nn::Node& node : graph_.nodes) step(node);
    return std::move(types_);
  }

 private:
  void type_input(nn::ValueId input, const SymbolSizes& sizes) {
    const nn::Value& value = graph_.values[input];
    if (!value.dtype || !value.dimensions) return;
    std::vector<std::int64_t> dims;
    for (std::size_t axis = 0; axis < value.dimensions->size(); ++axis) {
      const std::int64_t size = (*value.dimensions)[axis].value;
      const auto given = sizes.find(symbol_of(value, axis));
      dims.push_back(size >= 0 ? size : given == sizes.end() ? 1 : given->second);
    }
    const auto shape = nn::Shape::make(dims);
    if (shape.ok()) types_[input] = nn::TensorType{*value.dtype, *shape};
  }

  Status load(std::size_t value, const nn::StoredTensor& stored) {
    types_[value] = stored.type;
    const std::uint64_t size = stored.type.size();
    if (size > kMaxFolded) return done();
    ByteVector bytes(static_cast<std::size_t>(size));
    if (stored.is_inline) {
      bytes = stored.bytes;
    } else {
      TRY(weights_.read(stored.file, stored.offset, bytes));
    }
    contents_[value] = std::move(bytes);
    return done();
  }

  nn::ConstTensor content(nn::ValueId value) const {
    if (!contents_[value]) return {};
    return {*types_[value], contents_[value]->data()};
  }

  void step(const nn::Node& node) {
    nn::InferContext context{node, graph_.opset, {}, {}};
    bool all_known = true;
    for (const nn::ValueId input : node.inputs) {
      const bool there = input != nn::kNoValue;
      if (there && !types_[input]) return;
      context.inputs.push_back(there ? &*types_[input] : nullptr);
      context.constants.push_back(there ? content(input) : nn::ConstTensor{});
      all_known = all_known && (!there || contents_[input].has_value());
    }
    const auto outputs = nn::infer_node(context);
    if (!outputs.ok()) return;
    for (std::size_t i = 0; i < node.outputs.size() && i < outputs->size(); ++i) {
      if (node.outputs[i] != nn::kNoValue) types_[node.outputs[i]] = (*outputs)[i];
    }
    if (node.op == "Shape" && !all_known) {
      fold_shape(node);
    } else if (all_known) {
      fold(node, context, *outputs);
    }
  }

  // Shape needs a type alone. Its attributes start and end (opset 15) cut the list; the length of
  // the output says how much is left.
  void fold_shape(const nn::Node& node) {
    const auto dims = types_[node.inputs[0]]->shape.dims();
    const auto count = static_cast<std::size_t>(types_[node.outputs[0]]->shape.element_count());
    std::int64_t start = 0;
    if (const nn::Attribute* attribute = node.find("start")) {
      if (const auto* given = std::get_if<std::int64_t>(&attribute->value)) start = *given;
    }
    const auto rank = static_cast<std::int64_t>(dims.size());
    start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
    if (count > dims.size() - static_cast<std::size_t>(start)) return;
    ByteVector bytes(count * sizeof(std::int64_t));
    if (count != 0) std::memcpy(bytes.data(), dims.data() + start, bytes.size());
    contents_[node.outputs[0]] = std::move(bytes);
  }

  void fold(const nn::Node& node, const nn::InferContext& inferred,
            const std::vector<nn::TensorType>& types) {
    std::uint64_t total = 0;
    for (const nn::TensorType& type : types) total += type.size();
    const nn::Operator* op = nn::find_operator(node.op, graph_.opset);
    if (total > kMaxFolded || op == nullptr) return;
    std::vector<ByteVector> bytes;
    nn::RunContext context{node, graph_.opset, inferred.constants, {}, memory_, nn::no_workers()};
    for (std::size_t i = 0; i < types.size(); ++i) {
      bytes.emplace_back(static_cast<std::size_t>(std::max<std::uint64_t>(types[i].size(), 1)));
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      context.outputs.push_back({types[i], bytes[i].data()});
    }
    if (!op->run(context).ok()) return;
    for (std::size_t i = 0; i < node.outputs.size() && i < bytes.size(); ++i) {
      if (node.outputs[i] != nn::kNoValue) contents_[node.outputs[i]] = std::move(bytes[i]);
    }
  }

  const nn::Graph& graph_;
  nn::WeightSource& weights_;
  HeapMemory memory_;
  std::vector<std::optional<nn::TensorType>> types_;
  std::vector<std::optional<ByteVector>> contents_;
};

// How the dimensions of one value follow a symbol that changed from 1 to `size`.
void follow(const nn::TensorType& base, const std::optional<nn::TensorType>& changed,
            const std::string& symbol, std::int64_t size, const std::string& value,
            SymbolicType& type) {
  if (!changed || changed->shape.rank() != base.shape.rank()) return;
  for (std::size_t axis = 0; axis < base.shape.rank(); ++axis) {
    if (changed->shape[axis] == base.shape[axis]) continue;
    nn::Dimension& dim = type.shape[axis];
    const bool is_symbol = dim.value >= 0 && base.shape[axis] == 1 && changed->shape[axis] == size;
    dim.symbol = is_symbol ? symbol : value + "_" + std::to_string(axis);
    dim.value = -1;
  }
}

}  // namespace

std::string symbol_of(const nn::Value& input, std::size_t axis) {
  const std::string& symbol = (*input.dimensions)[axis].symbol;
  return symbol.empty() ? input.name + "_" + std::to_string(axis) : symbol;
}

std::vector<std::string> symbols_of(const nn::Graph& graph) {
  std::set<std::string> symbols;
  for (const nn::ValueId input : graph.inputs) {
    const nn::Value& value = graph.values[input];
    if (!value.dimensions) continue;
    for (std::size_t axis = 0; axis < value.dimensions->size(); ++axis) {
      if ((*value.dimensions)[axis].value < 0) symbols.insert(symbol_of(value, axis));
    }
  }
  return {symbols.begin(), symbols.end()};
}

Result<std::vector<std::optional<nn::TensorType>>> infer_types(const nn::Graph& graph,
                                                               nn::WeightSource& weights,
                                                               const SymbolSizes& sizes) {
  return Inferrer(graph, weights).run(sizes);
}

Result<std::vector<std::optional<SymbolicType>>> infer_symbolic(const nn::Graph& graph,
                                                                nn::WeightSource& weights) {
  const auto base = TRY(infer_types(graph, weights, {}));
  std::vector<std::optional<SymbolicType>> types(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) {
    if (!base[i]) continue;
    SymbolicType type{base[i]->dtype, {}};
    for (const std::int64_t size : base[i]->shape.dims()) type.shape.push_back({size, ""});
    types[i] = std::move(type);
  }
  for (const std::string& symbol : symbols_of(graph)) {
    constexpr std::int64_t kOther = 2;
    const auto changed = TRY(infer_types(graph, weights, {{symbol, kOther}}));
    for (std::size_t i = 0; i < base.size(); ++i) {
      if (types[i]) follow(*base[i], changed[i], symbol, kOther, graph.values[i].name, *types[i]);
    }
  }
  return types;
}

Status FileWeights::read(std::uint32_t file, std::uint64_t offset, MutableBytes out) {
  if (file == 0) return model_->read_at(offset, out);
  if (file - 1 >= externals_.size()) {
    return Error(ErrorCode::kMalformed, "external file " + std::to_string(file) + " is not there");
  }
  return externals_[file - 1]->read_at(offset, out);
}

HeapMemory::~HeapMemory() = default;

Result<MutableBytes> HeapMemory::allocate(std::size_t size) {
  void* block = ::operator new(std::max<std::size_t>(size, 1), kAlignment, std::nothrow);
  if (block == nullptr) {
    return Error(ErrorCode::kLimit, "no memory for " + std::to_string(size) + " bytes");
  }
  held_ += size;
  peak_ = std::max(peak_, held_);
  return MutableBytes(static_cast<std::uint8_t*>(block), size);
}

void HeapMemory::release(MutableBytes block) {
  held_ -= block.size();
  ::operator delete(block.data(), kAlignment);
}

}  // namespace sealpack::plan
