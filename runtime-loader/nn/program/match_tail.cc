// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/group.h"

namespace sealpack::nn::program {
namespace {

class TailBuilder {
 public:
  TailBuilder(BoundGraph& bound, const Uses& uses, const std::vector<bool>& taken,
              std::uint32_t node, std::uint64_t columns, std::size_t axis)
      : bound_(bound), uses_(uses), taken_(taken), columns_(columns), axis_(axis) {
    tail_.nodes = {node};
    tail_.output = bound.graph().nodes[node].outputs[0];
  }

  // What the node itself does to its sums.
  void start(Floats scale, Floats bias) {
    tail_.scale = std::move(scale);
    tail_.bias = std::move(bias);
  }

  Result<LinearTail> build() {
    while (TRY(absorb())) {
    }
    auto match = match_activation(bound_, uses_, tail_.output);
    const auto is_taken = [&](std::uint32_t index) { return taken_[index]; };
    if (match && std::none_of(match->nodes.begin(), match->nodes.end(), is_taken)) {
      tail_.nodes.insert(tail_.nodes.end(), match->nodes.begin(), match->nodes.end());
      tail_.output = match->output;
      tail_.activation = std::move(*match);
    }
    return std::move(tail_);
  }

 private:
  // Takes the next node into the tail; false if it does not fit there.
  Result<bool> absorb() {
    const auto reader = uses_.only_reader(tail_.output);
    if (!reader || taken_[*reader]) return false;
    const Node& node = bound_.graph().nodes[*reader];
    if (node.op == "BatchNormalization") {
      if (tail_.residual != kNoValue || !TRY(absorb_batch_norm(node))) return false;
    } else if (node.op == "Add" || node.op == "Sub" || node.op == "Mul" || node.op == "Div") {
      if (!absorb_binary(node)) return false;
    } else {
      return false;
    }
    tail_.nodes.push_back(*reader);
    tail_.output = node.outputs[0];
    return true;
  }

  Result<bool> absorb_batch_norm(const Node& node) {
    if (axis_ != 1 || node.inputs[0] != tail_.output || node.inputs.size() != 5) return false;
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) return false;
    }
    if (TRY(int_attribute(node, "training_mode", 0)) != 0) return false;
    const float epsilon = TRY(float_attribute(node, "epsilon", 1e-5F));
    std::array<Floats, 4> given;
    for (std::size_t i = 0; i < given.size(); ++i) {
      given[i] = TRY(bound_.floats(node.inputs[i + 1]));
      if (given[i].size() != columns_) return false;
    }
    Floats factor(columns_);
    for (std::uint64_t c = 0; c < columns_; ++c) {
      factor[c] = given[0][c] / std::sqrt(given[3][c] + epsilon);
    }
    multiply(factor);
    Floats shift(columns_);
    for (std::uint64_t c = 0; c < columns_; ++c) shift[c] = given[1][c] - given[2][c] * factor[c];
    add(shift);
    return true;
  }

  bool absorb_binary(const Node& node) {
    if (node.inputs.size() != 2 || node.inputs[0] == node.inputs[1]) return false;
    const bool is_left = node.inputs[0] == tail_.output;
    const ValueId side = is_left ? node.inputs[1] : node.inputs[0];
    const Shape& shape = bound_.type(tail_.output).shape;
    if (!(bound_.type(node.outputs[0]).shape == shape)) return false;
    if (!bound_.is_known(side)) return node.op == "Add" && absorb_residual(side);
    if (tail_.residual != kNoValue) return false;
    Floats values = known_columns(bound_, side, columns_, axis_, shape.rank());
    if (values.empty()) return false;
    if (node.op == "Add") {
      add(values);
    } else if (node.op == "Sub" && is_left) {
      for (float& value : values) value = -value;
      add(values);
    } else if (node.op == "Mul") {
      multiply(values);
    } else if (node.op == "Div" && is_left) {
      for (float& value : values) value = 1.0F / value;
      multiply(values);
    } else {
      return false;
    }
    return true;
  }

  bool absorb_residual(ValueId side) {
    if (tail_.residual != kNoValue || !(bound_.type(side) == bound_.type(tail_.output)))
      return false;
    tail_.residual = side;
    return true;
  }

  void multiply(const Floats& factor) {
    if (tail_.scale.empty()) tail_.scale.assign(columns_, 1.0F);
    for (std::uint64_t c = 0; c < columns_; ++c) tail_.scale[c] *= factor[c];
    for (std::uint64_t c = 0; c < tail_.bias.size(); ++c) tail_.bias[c] *= factor[c];
  }

  void add(const Floats& shift) {
    if (tail_.bias.empty()) tail_.bias.assign(columns_, 0.0F);
    for (std::uint64_t c = 0; c < columns_; ++c) tail_.bias[c] += shift[c];
  }

  BoundGraph& bound_;
  const Uses& uses_;
  const std::vector<bool>& taken_;
  std::uint64_t columns_;
  std::size_t axis_;
  LinearTail tail_;
};

}  // namespace

Result<LinearTail> match_tail(BoundGraph& bound, const Uses& uses, const std::vector<bool>& taken,
                              std::uint32_t index, std::uint64_t columns, std::size_t axis) {
  const Node& node = bound.graph().nodes[index];
  TailBuilder builder(bound, uses, taken, index, columns, axis);
  const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  if (node.op == "Conv") {
    builder.start({}, has_bias ? TRY(bound.floats(node.inputs[2])) : Floats());
  } else if (node.op == "Gemm") {
    const float alpha = TRY(float_attribute(node, "alpha", 1.0F));
    const float beta = TRY(float_attribute(node, "beta", 1.0F));
    Floats bias;
    if (has_bias) bias = known_columns(bound, node.inputs[2], columns, 1, 2);
    for (float& value : bias) value *= beta;
    builder.start(alpha == 1.0F ? Floats() : Floats(columns, alpha), std::move(bias));
  }
  return builder.build();
}

}  // namespace sealpack::nn::program
