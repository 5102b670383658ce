// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/bound.h"

namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kKnownToInfer = 64 << 10;

Result<Shape> input_shape(const Value& value, const CompileOptions& options) {
  const auto given = options.input_shapes.find(value.name);
  if (!value.dimensions) {
    if (given == options.input_shapes.end()) {
      return Error(ErrorCode::kUsage, "input " + printable(value.name) + " has no shape");
    }
    return given->second;
  }
  std::vector<std::int64_t> dims;
  for (const Dimension& dimension : *value.dimensions) {
    dims.push_back(dimension.value < 0 ? 1 : dimension.value);
  }
  if (given == options.input_shapes.end()) return Shape::make(dims);
  bool fits = given->second.rank() == dims.size();
  for (std::size_t i = 0; fits && i < dims.size(); ++i) {
    const std::int64_t declared = (*value.dimensions)[i].value;
    fits = declared < 0 || declared == given->second[i];
  }
  if (!fits) {
    return Error(ErrorCode::kUsage, "input " + printable(value.name) + " cannot have the shape " +
                                        to_string(given->second));
  }
  return given->second;
}

BoundValue bind_stored(const StoredTensor& stored, ValueId initializer) {
  BoundValue bound;
  bound.type = stored.type;
  if (stored.is_inline) {
    bound.constant = std::make_shared<const WipedBytes>(stored.bytes.begin(), stored.bytes.end());
    return bound;
  }
  StoredView view;
  view.bytes = {nullptr, stored.file, stored.offset};
  view.stored = stored.type;
  view.initializer = initializer;
  bound.stored = std::move(view);
  return bound;
}

}  // namespace

Result<BoundGraph> BoundGraph::bind(const Graph& graph, WeightSource& weights,
                                    const CompileOptions& options) {
  BoundGraph bound(graph, weights);
  bound.values_.resize(graph.values.size());
  bound.done_.resize(graph.nodes.size());
  TRY(bound.bind_initializers());
  TRY(bound.bind_inputs(options));
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    auto status = bound.bind_node(i);
    if (!status.ok()) {
      const Node& node = graph.nodes[i];
      return std::move(status).take_error().within("node " + std::to_string(i) + " " +
                                                   printable(node.name) + " (" + node.op + ")");
    }
  }
  for (const ValueId output : graph.outputs) {
    if (!bound.values_[output].type) {
      return Error(ErrorCode::kMalformed,
                   "output " + printable(graph.values[output].name) + " is never computed");
    }
  }
  bound.find_live();
  return bound;
}

Status BoundGraph::bind_initializers() {
  for (ValueId id = 0; id < graph_->values.size(); ++id) {
    const Value& value = graph_->values[id];
    if (value.stored) values_[id] = bind_stored(*value.stored, id);
  }
  return done();
}

Status BoundGraph::bind_inputs(const CompileOptions& options) {
  for (const ValueId id : graph_->inputs) {
    const Value& value = graph_->values[id];
    if (!value.dtype) {
      return Error(ErrorCode::kMalformed, "input " + printable(value.name) + " has no type");
    }
    values_[id].type = TensorType{*value.dtype, TRY(input_shape(value, options))};
  }
  for (const auto& [name, shape] : options.input_shapes) {
    const auto id = graph_->find(name);
    if (!id ||
        std::find(graph_->inputs.begin(), graph_->inputs.end(), *id) == graph_->inputs.end()) {
      return Error(ErrorCode::kUsage, "the graph has no input " + printable(name));
    }
  }
  return done();
}

Result<InferContext> BoundGraph::infer_context(const Node& node) {
  InferContext context{node, graph_->opset, {}, {}};
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) {
      context.inputs.push_back(nullptr);
      context.constants.push_back({});
      continue;
    }
    if (!values_[id].type) {
      return Error(ErrorCode::kMalformed,
                   printable(graph_->values[id].name) + " is used before it is computed");
    }
    context.inputs.push_back(&*values_[id].type);
    const auto known = TRY(contents(id, kKnownToInfer));
    context.constants.push_back({*values_[id].type, known ? known->data() : nullptr});
  }
  return context;
}

Status BoundGraph::bind_node(std::uint32_t index) {
  const Node& node = graph_->nodes[index];
  if (node.op == "Constant" && node.outputs.size() == 1) {
    const StoredTensor* stored = TRY(tensor_attribute(node, "value"));
    if (stored != nullptr) {
      values_[node.outputs[0]] = bind_stored(*stored, kNoValue);
      done_[index] = true;
      return done();
    }
  }
  const InferContext context = TRY(infer_context(node));
  const std::vector<TensorType> types = TRY(infer_node(context));
  for (std::size_t i = 0; i < node.outputs.size() && i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue) values_[node.outputs[i]].type = types[i];
  }
  if (may_fold(node, types, kKnownToInfer)) {
    done_[index] = true;
    return fold(node, types);
  }
  if (!types.empty() && TRY(view(node, types[0])))
    return done();  // stays a node: not every reader can use the view
  if (may_fold(node, types, kFoldLimit)) {
    done_[index] = true;
    return fold(node, types);
  }
  return done();
}

// Backwards from the outputs: what nobody reads is not computed.
void BoundGraph::find_live() {
  std::vector<bool> needed(values_.size());
  for (const ValueId output : graph_->outputs) needed[output] = true;
  for (std::size_t i = graph_->nodes.size(); i-- > 0;) {
    const Node& node = graph_->nodes[i];
    const bool live =
        !done_[i] && std::any_of(node.outputs.begin(), node.outputs.end(),
                                 [&](ValueId id) { return id != kNoValue && needed[id]; });
    if (!live) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[id] = true;
    }
    live_.push_back(static_cast<std::uint32_t>(i));
  }
  std::reverse(live_.begin(), live_.end());
}

}  // namespace sealpack::nn::program
