// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/group.h"

namespace sealpack::nn::program {
namespace {

// Whether the node is a mean over the last dimension alone, which it keeps.
bool is_row_mean(BoundGraph& bound, const Node& node) {
  if (node.op != "ReduceMean" || node.inputs.empty()) return false;
  const Shape& in = bound.type(node.inputs[0]).shape;
  const Shape& out = bound.type(node.outputs[0]).shape;
  if (in.rank() == 0 || in.rank() != out.rank()) return false;
  for (std::size_t i = 0; i + 1 < in.rank(); ++i) {
    if (in[i] != out[i]) return false;
  }
  const auto axes = ints_attribute(node, "axes");
  if (!axes.ok() || *axes == nullptr || (*axes)->size() != 1) return false;
  const auto axis = to_axis((**axes)[0], in.rank());
  return axis.ok() && *axis == in.rank() - 1;
}

std::optional<NormMatch> match_operator(BoundGraph& bound, std::uint32_t index) {
  const Node& node = bound.graph().nodes[index];
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return std::nullopt;
  }
  const TensorType& type = bound.type(node.inputs[0]);
  const auto axis = axis_attribute(node, "axis", -1, type.shape.rank());
  const auto epsilon = float_attribute(node, "epsilon", 1e-5F);
  if (!axis.ok() || !epsilon.ok() || type.dtype != DType::kF32) return std::nullopt;
  NormMatch match{node.inputs[0], node.outputs[0], 1, *epsilon, {}, {}, {index}};
  for (std::size_t i = *axis; i < type.shape.rank(); ++i) {
    match.width *= static_cast<std::uint64_t>(type.shape[i]);
  }
  const auto scale = bound.floats(node.inputs[1]);
  if (!scale.ok() || scale->size() != match.width) return std::nullopt;
  match.scale = *scale;
  match.bias.assign(match.width, 0.0F);
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const auto bias = bound.floats(node.inputs[2]);
    if (!bias.ok() || bias->size() != match.width) return std::nullopt;
    match.bias = *bias;
  }
  return match;
}

// Follows a value through its only reader, collecting nodes.
class Walk {
 public:
  Walk(BoundGraph& bound, const Uses& uses, NormMatch& match)
      : bound_(bound), uses_(uses), match_(match) {}
  // The only reader of `value` if it is an `op`; nullptr otherwise.
  const Node* next(ValueId value, const char* op) {
    const auto reader = uses_.only_reader(value);
    if (!reader || bound_.graph().nodes[*reader].op != op) return nullptr;
    match_.nodes.push_back(*reader);
    return &bound_.graph().nodes[*reader];
  }

 private:
  BoundGraph& bound_;
  const Uses& uses_;
  NormMatch& match_;
};

bool squares(BoundGraph& bound, const Node& node, ValueId x) {
  if (node.op == "Pow") return node.inputs[0] == x && known_scalar(bound, node.inputs[1]) == 2.0F;
  return node.op == "Mul" && node.inputs[0] == x && node.inputs[1] == x;
}

// The optional product with, or sum of, one known value a column that follows.
Floats follow_columns(BoundGraph& bound, const Uses& uses, NormMatch& match, const char* op) {
  const auto reader = uses.only_reader(match.output);
  if (!reader) return {};
  const Node& node = bound.graph().nodes[*reader];
  if (node.op != op || node.inputs.size() != 2) return {};
  const ValueId side = node.inputs[0] == match.output ? node.inputs[1] : node.inputs[0];
  const std::size_t rank = bound.type(match.output).shape.rank();
  auto values = known_columns(bound, side, match.width, rank - 1, rank);
  if (values.empty()) return {};
  match.nodes.push_back(*reader);
  match.output = node.outputs[0];
  return values;
}

// ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add: as exporters wrote it before
// opset 17.
std::optional<NormMatch> match_pattern(BoundGraph& bound, const Uses& uses, std::uint32_t index) {
  const Node& mean = bound.graph().nodes[index];
  if (!is_row_mean(bound, mean)) return std::nullopt;
  const ValueId x = mean.inputs[0];
  const Shape& shape = bound.type(x).shape;
  if (bound.type(x).dtype != DType::kF32) return std::nullopt;
  NormMatch match{x,  kNoValue, static_cast<std::uint64_t>(shape[shape.rank() - 1]), 0, {},
                  {}, {index}};
  Walk walk(bound, uses, match);
  const Node* centred = walk.next(mean.outputs[0], "Sub");
  if (centred == nullptr || centred->inputs[0] != x || uses.is_output(centred->outputs[0])) {
    return std::nullopt;
  }
  const ValueId difference = centred->outputs[0];
  const Node* square = nullptr;
  const Node* quotient = nullptr;
  for (const std::uint32_t reader : uses.readers(difference)) {
    const Node& node = bound.graph().nodes[reader];
    if (squares(bound, node, difference)) {
      square = &node;
    } else if (node.op == "Div" && node.inputs[0] == difference && quotient == nullptr) {
      quotient = &node;
    } else {
      return std::nullopt;
    }
    if (match.nodes.back() != reader) match.nodes.push_back(reader);
  }
  if (square == nullptr || quotient == nullptr) return std::nullopt;
  const Node* variance = walk.next(square->outputs[0], "ReduceMean");
  if (variance == nullptr || !is_row_mean(bound, *variance)) return std::nullopt;
  const Node* sum = walk.next(variance->outputs[0], "Add");
  if (sum == nullptr) return std::nullopt;
  const auto epsilon =
      known_scalar(bound, sum->inputs[0] == variance->outputs[0] ? sum->inputs[1] : sum->inputs[0]);
  const Node* root = walk.next(sum->outputs[0], "Sqrt");
  if (!epsilon || root == nullptr || quotient->inputs[1] != root->outputs[0] ||
      !uses.only_reader(root->outputs[0])) {
    return std::nullopt;
  }
  match.epsilon = *epsilon;
  match.output = quotient->outputs[0];
  match.scale = follow_columns(bound, uses, match, "Mul");
  match.bias = follow_columns(bound, uses, match, "Add");
  if (match.scale.empty()) match.scale.assign(match.width, 1.0F);
  if (match.bias.empty()) match.bias.assign(match.width, 0.0F);
  return match;
}

}  // namespace

std::optional<NormMatch> match_layer_norm(BoundGraph& bound, const Uses& uses, std::uint32_t node) {
  const std::string& op = bound.graph().nodes[node].op;
  if (op == "LayerNormalization") return match_operator(bound, node);
  if (op == "ReduceMean") return match_pattern(bound, uses, node);
  return std::nullopt;
}

}  // namespace sealpack::nn::program
