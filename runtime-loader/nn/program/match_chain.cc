// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/program/group.h"

namespace sealpack::nn::program {
namespace {

using Kind = PointOp::Kind;
using Side = PointOp::Side;

constexpr std::int64_t kMostKnownSide = 1 << 16;  // elements of a known side, repeated in memory

std::optional<Kind> binary_kind(const std::string& op, bool is_left) {
  if (op == "Add") return Kind::kAdd;
  if (op == "Mul") return Kind::kMultiply;
  if (op == "Sub") return is_left ? Kind::kSubtract : Kind::kSubtractFrom;
  if (op == "Div") return is_left ? Kind::kDivide : Kind::kDivideInto;
  return std::nullopt;
}

std::optional<PointOp> unary(BoundGraph& bound, const Node& node) {
  PointOp op;
  if (node.op == "Erf") {
    op.kind = Kind::kErf;
  } else if (node.op == "Exp") {
    op.kind = Kind::kExp;
  } else if (node.op == "Sqrt") {
    op.kind = Kind::kSqrt;
  } else if (node.op == "Neg") {
    op.kind = Kind::kNegate;
  } else if (node.op == "Pow") {
    const auto power = known_scalar(bound, node.inputs[1]);
    if (power == 2.0F) {
      op.kind = Kind::kSquare;
    } else if (power == 3.0F) {
      op.kind = Kind::kCube;
    } else if (power == 0.5F) {
      op.kind = Kind::kSqrt;
    } else {
      return std::nullopt;
    }
  } else {
    return std::nullopt;
  }
  return op;
}

// How `side` spreads over a tensor of `shape`; none if not in one of our ways.
std::optional<Side> side_of(BoundGraph& bound, ValueId side, const Shape& shape) {
  const TensorType& type = bound.type(side);
  const bool known = bound.is_known(side);
  if (type.dtype != DType::kF32 || type.shape.rank() > shape.rank()) return std::nullopt;
  const std::int64_t count = type.shape.element_count();
  if (known && count == 1) return Side::kScalar;
  if (type.shape == shape) return Side::kFull;
  if (known && count > kMostKnownSide) return std::nullopt;
  const std::size_t skip = shape.rank() - type.shape.rank();
  std::size_t wide = shape.rank();  // the only axis along which the side has more than one element
  for (std::size_t i = 0; i < type.shape.rank(); ++i) {
    if (type.shape[i] == 1) continue;
    if (wide != shape.rank()) return std::nullopt;
    wide = i + skip;
  }
  if (wide == shape.rank() || shape[wide] != count) return std::nullopt;
  if (wide == shape.rank() - 1) return Side::kLast;
  if (wide == 1 && shape.rank() == 4) return Side::kChannel;
  return std::nullopt;
}

class ChainBuilder {
 public:
  ChainBuilder(BoundGraph& bound, const Uses& uses, const std::vector<bool>& taken)
      : bound_(bound), uses_(uses), taken_(taken) {}

  std::optional<PointChain> build(std::uint32_t first) {
    const Node& node = bound_.graph().nodes[first];
    if (!start(first, node)) return std::nullopt;
    while (extend()) {
    }
    return std::move(chain_);
  }

 private:
  // Tries each input of the first node as the one the chain runs along.
  bool start(std::uint32_t first, const Node& node) {
    if (node.inputs.empty() || node.outputs.size() != 1) return false;
    if (bound_.type(node.outputs[0]).shape.element_count() == 0) return false;
    for (const ValueId input : node.inputs) {
      if (input == kNoValue || bound_.is_known(input)) continue;
      if (bound_.type(input).dtype != DType::kF32 ||
          !(bound_.type(input) == bound_.type(node.outputs[0]))) {
        continue;
      }
      chain_.input = chain_.output = input;
      if (bound_.type(input).shape.rank() == 0) continue;
      if (take_activation(first)) return true;
      if (take(first)) return true;
    }
    return false;
  }

  bool extend() {
    const auto readers = uses_.readers(chain_.output);
    if (uses_.is_output(chain_.output) || readers.empty()) return false;
    if (take_activation(readers[0])) return true;
    const auto reader = uses_.only_reader(chain_.output);
    return reader && !taken_[*reader] && take(*reader);
  }

  // An activation of one or several nodes, if these include `node`.
  bool take_activation(std::uint32_t node) {
    const auto match = match_activation(bound_, uses_, chain_.output);
    if (!match || std::find(match->nodes.begin(), match->nodes.end(), node) == match->nodes.end()) {
      return false;
    }
    for (const std::uint32_t each : match->nodes) {
      if (taken_[each]) return false;
    }
    PointOp op;
    op.kind = Kind::kActivate;
    op.activation = match->activation;
    op.low = match->low;
    op.high = match->high;
    chain_.ops.push_back(op);
    chain_.nodes.insert(chain_.nodes.end(), match->nodes.begin(), match->nodes.end());
    chain_.output = match->output;
    return true;
  }

  bool take(std::uint32_t index) {
    const Node& node = bound_.graph().nodes[index];
    if (node.outputs.size() != 1 || !(bound_.type(node.outputs[0]) == bound_.type(chain_.input))) {
      return false;
    }
    std::optional<PointOp> op;
    if (node.inputs[0] == chain_.output) op = unary(bound_, node);
    if (!op && node.inputs.size() == 2) op = binary(node);
    if (!op) return false;
    chain_.wants_channels_last |= op->side == Side::kChannel;
    chain_.wants_plain |= op->side == Side::kLast;
    chain_.ops.push_back(*op);
    chain_.nodes.push_back(index);
    chain_.output = node.outputs[0];
    return true;
  }

  std::optional<PointOp> binary(const Node& node) {
    if (node.inputs[0] == node.inputs[1]) return std::nullopt;
    const bool is_left = node.inputs[0] == chain_.output;
    const auto kind = binary_kind(node.op, is_left);
    if (!kind) return std::nullopt;
    PointOp op;
    op.kind = *kind;
    op.value = is_left ? node.inputs[1] : node.inputs[0];
    const auto side = side_of(bound_, op.value, bound_.type(chain_.input).shape);
    if (!side) return std::nullopt;
    op.side = *side;
    if ((op.side == Side::kChannel && chain_.wants_plain) ||
        (op.side == Side::kLast && chain_.wants_channels_last)) {
      return std::nullopt;
    }
    return op;
  }

  BoundGraph& bound_;
  const Uses& uses_;
  const std::vector<bool>& taken_;
  PointChain chain_;
};

}  // namespace

std::optional<PointChain> match_chain(BoundGraph& bound, const Uses& uses, std::uint32_t node,
                                      const std::vector<bool>& taken) {
  return ChainBuilder(bound, uses, taken).build(node);
}

}  // namespace sealpack::nn::program
