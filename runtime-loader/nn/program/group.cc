// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/group.h"

#include <algorithm>
#include <cmath>

#include "runtime-loader/nn/ops/attributes.h"

namespace sealpack::nn::program {

using kernels::Activation;

Uses::Uses(const BoundGraph& bound) {
  const Graph& graph = bound.graph();
  readers_.resize(graph.values.size());
  producer_.assign(graph.values.size(), ~std::uint32_t{0});
  is_output_.resize(graph.values.size());
  for (const std::uint32_t index : bound.nodes()) {
    for (const ValueId id : graph.nodes[index].inputs) {
      if (id != kNoValue) readers_[id].push_back(index);
    }
    for (const ValueId id : graph.nodes[index].outputs) {
      if (id != kNoValue) producer_[id] = index;
    }
  }
  for (const ValueId id : graph.outputs) is_output_[id] = true;
}

std::optional<std::uint32_t> Uses::only_reader(ValueId id) const {
  if (is_output_[id] || readers_[id].size() != 1) return std::nullopt;
  return readers_[id][0];
}

std::optional<std::uint32_t> Uses::producer(ValueId id) const {
  if (producer_[id] == ~std::uint32_t{0}) return std::nullopt;
  return producer_[id];
}

std::optional<float> known_scalar(BoundGraph& bound, ValueId id) {
  if (id == kNoValue || bound.type(id).shape.element_count() != 1) return std::nullopt;
  const auto values = bound.floats(id);
  if (!values.ok() || values->size() != 1) return std::nullopt;
  return values->front();
}

Floats known_columns(BoundGraph& bound, ValueId id, std::uint64_t columns, std::size_t axis,
                     std::size_t rank) {
  const Shape& shape = bound.type(id).shape;
  const auto count = static_cast<std::uint64_t>(shape.element_count());
  if (shape.rank() > rank || (count != columns && count != 1)) return {};
  const std::size_t skip = rank - shape.rank();
  if (count == columns && count != 1 &&
      (axis < skip || static_cast<std::uint64_t>(shape[axis - skip]) != columns)) {
    return {};
  }
  const auto values = bound.floats(id);
  if (!values.ok() || values->empty()) return {};
  if (values->size() == columns) return *values;
  return Floats(columns, values->front());
}

namespace {

bool is_float(const BoundGraph& bound, ValueId id) {
  return id != kNoValue && bound.type(id).dtype == DType::kF32;
}

std::optional<ActivationMatch> match_clip(BoundGraph& bound, const Node& node) {
  ActivationMatch match;
  match.activation = Activation::kClip;
  match.low = -std::numeric_limits<float>::max();
  match.high = std::numeric_limits<float>::max();
  if (bound.graph().opset < 11) {
    const auto low = float_attribute(node, "min", match.low);
    const auto high = float_attribute(node, "max", match.high);
    if (!low.ok() || !high.ok()) return std::nullopt;
    match.low = *low;
    match.high = *high;
  }
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const auto bound_value = known_scalar(bound, node.inputs[i]);
    if (!bound_value) return std::nullopt;
    (i == 1 ? match.low : match.high) = *bound_value;
  }
  return match;
}

std::optional<ActivationMatch> match_node(BoundGraph& bound, const Node& node) {
  ActivationMatch match;
  if (node.op == "Clip") return match_clip(bound, node);
  if (node.op == "Relu") {
    match.activation = Activation::kRelu;
  } else if (node.op == "Sigmoid") {
    match.activation = Activation::kSigmoid;
  } else if (node.op == "Tanh") {
    match.activation = Activation::kTanh;
  } else if (node.op == "HardSwish") {
    match.activation = Activation::kHardSwish;
  } else if (node.op == "LeakyRelu") {
    match.activation = Activation::kLeakyRelu;
    const auto slope = float_attribute(node, "alpha", 0.01F);
    if (!slope.ok()) return std::nullopt;
    match.low = *slope;
  } else {
    return std::nullopt;
  }
  return match;
}

// The other input of a commutative node with two.
ValueId other_input(const Node& node, ValueId one) {
  if (node.inputs.size() != 2) return kNoValue;
  return node.inputs[0] == one ? node.inputs[1] : node.inputs[0];
}

bool is_near(std::optional<float> value, double wanted) {
  return value && std::abs(*value - wanted) <= 1e-5 * wanted;
}

// x / sqrt(2) or x * sqrt(1/2).
bool scales_by_root_half(BoundGraph& bound, const Node& node, ValueId x) {
  if (node.op == "Div" && node.inputs[0] == x) {
    return is_near(known_scalar(bound, node.inputs[1]), std::sqrt(2.0));
  }
  return node.op == "Mul" && is_near(known_scalar(bound, other_input(node, x)), std::sqrt(0.5));
}

bool halves(BoundGraph& bound, const Node& node, ValueId x) {
  if (node.op == "Div") return node.inputs[0] == x && known_scalar(bound, node.inputs[1]) == 2.0F;
  return node.op == "Mul" && known_scalar(bound, other_input(node, x)) == 0.5F;
}

// GELU by its error function: x * (1 + erf(x / sqrt 2)) / 2, halved before or after the product.
std::optional<ActivationMatch> match_gelu(BoundGraph& bound, const Uses& uses, ValueId x,
                                          std::uint32_t first, std::uint32_t second) {
  const Graph& graph = bound.graph();
  if (!scales_by_root_half(bound, graph.nodes[first], x)) return std::nullopt;
  ActivationMatch match;
  match.activation = Activation::kGelu;
  match.nodes = {first};
  const auto follow = [&](const char* op) -> const Node* {
    const auto reader = uses.only_reader(graph.nodes[match.nodes.back()].outputs[0]);
    if (!reader || graph.nodes[*reader].op != op) return nullptr;
    match.nodes.push_back(*reader);
    return &graph.nodes[*reader];
  };
  if (follow("Erf") == nullptr) return std::nullopt;
  const ValueId erf = graph.nodes[match.nodes.back()].outputs[0];
  const Node* add = follow("Add");
  if (add == nullptr || known_scalar(bound, other_input(*add, erf)) != 1.0F) return std::nullopt;
  const ValueId sum = add->outputs[0];
  const Node* product = follow("Mul");
  if (product == nullptr) return std::nullopt;
  const ValueId other = other_input(*product, sum);
  if (other == x && match.nodes.back() == second) {
    const auto last = uses.only_reader(product->outputs[0]);
    if (!last || !halves(bound, graph.nodes[*last], product->outputs[0])) return std::nullopt;
    match.nodes.push_back(*last);
  } else {
    const auto half = uses.producer(other);
    if (!half || *half != second || !halves(bound, graph.nodes[second], x) ||
        !uses.only_reader(other)) {
      return std::nullopt;
    }
    match.nodes.push_back(second);
    match.output = product->outputs[0];
    return match;
  }
  match.output = graph.nodes[match.nodes.back()].outputs[0];
  return match;
}

// x * sigmoid(x), or x * clip(x + 3, 0, 6) / 6.
std::optional<ActivationMatch> match_gated(BoundGraph& bound, const Uses& uses, ValueId x,
                                           std::uint32_t gate, std::uint32_t product) {
  const Graph& graph = bound.graph();
  const Node& node = graph.nodes[gate];
  if (graph.nodes[product].op != "Mul") return std::nullopt;
  ActivationMatch match;
  match.nodes = {gate, product};
  match.output = graph.nodes[product].outputs[0];
  if (other_input(graph.nodes[product], x) != node.outputs[0] ||
      !uses.only_reader(node.outputs[0])) {
    return std::nullopt;
  }
  if (node.op == "Sigmoid") {
    match.activation = Activation::kSilu;
    return match;
  }
  if (node.op == "HardSigmoid") {
    const auto alpha = float_attribute(node, "alpha", 0.2F);
    const auto beta = float_attribute(node, "beta", 0.5F);
    if (!alpha.ok() || !beta.ok() || !is_near(*alpha, 1.0 / 6) || *beta != 0.5F)
      return std::nullopt;
    match.activation = Activation::kHardSwish;
    return match;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ActivationMatch> match_activation(BoundGraph& bound, const Uses& uses, ValueId x) {
  if (!is_float(bound, x) || uses.is_output(x)) return std::nullopt;
  const auto readers = uses.readers(x);
  if (readers.size() == 1) {
    const Node& node = bound.graph().nodes[readers[0]];
    if (node.inputs[0] != x) return std::nullopt;
    auto match = match_node(bound, node);
    if (!match) return std::nullopt;
    match->nodes = {readers[0]};
    match->output = node.outputs[0];
    return match;
  }
  if (readers.size() != 2) return std::nullopt;
  for (const int swap : {0, 1}) {
    const std::uint32_t first = readers[swap == 0 ? 0 : 1];
    const std::uint32_t second = readers[swap == 0 ? 1 : 0];
    if (first == second) return std::nullopt;
    auto match = match_gelu(bound, uses, x, first, second);
    if (!match) match = match_gated(bound, uses, x, first, second);
    if (match) return match;
  }
  return std::nullopt;
}

}  // namespace sealpack::nn::program
