// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "runtime-loader/nn/program/bound.h"
#include "runtime-loader/nn/program/steps/point_op.h"

// Nodes that become one step: patterns in the graph, independent of memory and machine.
namespace sealpack::nn::program {

// Who reads and who computes each value, among the nodes that a run does.
class Uses {
 public:
  explicit Uses(const BoundGraph& bound);
  // The node that alone reads the value, once; none if it is also an output of the graph.
  std::optional<std::uint32_t> only_reader(ValueId id) const;
  std::span<const std::uint32_t> readers(ValueId id) const { return readers_[id]; }
  std::optional<std::uint32_t> producer(ValueId id) const;
  bool is_output(ValueId id) const { return is_output_[id]; }

 private:
  std::vector<std::vector<std::uint32_t>> readers_;  // a node that reads twice is there twice
  std::vector<std::uint32_t> producer_;
  std::vector<bool> is_output_;
};

// y = activation(x), found in one node or in the several that exporters write.
struct ActivationMatch {
  kernels::Activation activation = kernels::Activation::kNone;
  float low = 0, high = 0;
  std::vector<std::uint32_t> nodes;
  ValueId output = kNoValue;
};
std::optional<ActivationMatch> match_activation(BoundGraph& bound, const Uses& uses, ValueId x);

// (x - mean) / sqrt(variance + epsilon) * scale + bias over the last dimensions.
struct NormMatch {
  ValueId input = kNoValue, output = kNoValue;
  std::uint64_t width = 0;
  float epsilon = 0;
  Floats scale, bias;
  std::vector<std::uint32_t> nodes;
};
std::optional<NormMatch> match_layer_norm(BoundGraph& bound, const Uses& uses, std::uint32_t node);

// What follows a Conv, Gemm or MatMul with constant weights and is done on its way out:
// activation(sum * scale + bias + residual).
struct LinearTail {
  Floats scale;  // empty, or one a column
  Floats bias;   // empty, or one a column
  ValueId residual = kNoValue;
  ActivationMatch activation;
  std::vector<std::uint32_t> nodes;  // with the linear one
  ValueId output = kNoValue;
};
// Follows from `node`, whose output has `columns` along `axis` (1 of images, the last of matrices).
// Nodes that are `taken` belong to other steps.
Result<LinearTail> match_tail(BoundGraph& bound, const Uses& uses, const std::vector<bool>& taken,
                              std::uint32_t node, std::uint64_t columns, std::size_t axis);

// Operations over elements, one after the other.
struct PointChain {
  ValueId input = kNoValue, output = kNoValue;
  std::vector<PointOp> ops;
  std::vector<std::uint32_t> nodes;
  bool wants_channels_last = false;  // has a side of one value a channel
  bool wants_plain = false;          // has a side of one value a column
};
// Starts at `node`; none if its first operation is not of this kind.
std::optional<PointChain> match_chain(BoundGraph& bound, const Uses& uses, std::uint32_t node,
                                      const std::vector<bool>& taken);

// The only element of a known float32 value.
std::optional<float> known_scalar(BoundGraph& bound, ValueId id);
// One value a column from a known value that broadcasts along `axis` of a tensor of rank `rank`:
// `columns` elements there, or one for all; empty otherwise.
Floats known_columns(BoundGraph& bound, ValueId id, std::uint64_t columns, std::size_t axis,
                     std::size_t rank);

}  // namespace sealpack::nn::program
