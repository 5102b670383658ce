// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "runtime-loader/nn/program/group.h"
#include "runtime-loader/nn/program/lowered.h"

namespace sealpack::nn::program {

class ConvStep;
class PermuteStep;

struct WindowAttributes {
  std::array<std::uint64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1}, pad{0, 0};
};

// Turns nodes into steps, one group of nodes after the other. Image tensors exist as ONNX has them
// (NCHW), with channels last, or both; a step asks for what it needs.
class Lowering {
 public:
  Lowering(BoundGraph& bound, const LowerOptions& options);
  Result<Lowered> run();

 private:
  enum class Layout { kPlain, kChannelsLast };
  struct Versions {
    TensorId plain = kNoTensor;
    TensorId channels_last = kNoTensor;
  };
  // Emits the steps of some nodes when the last of them has its turn.
  struct Group {
    enum class Kind { kNode, kLinear, kChain, kNorm, kBackend };
    Kind kind = Kind::kNode;
    std::uint32_t root = 0;
    std::vector<std::uint32_t> nodes;
    LinearTail tail;
    PointChain chain;
    NormMatch norm;
  };

  // A value and how far apart the elements along each dimension are in it.
  struct StridedValue {
    ValueId value = kNoValue;
    std::vector<std::uint64_t> strides;
  };

  // lowering.cc: tensors and layouts
  const Graph& graph() const { return bound_.graph(); }
  TensorId add_tensor(TensorType type, PlanTensor::Home home, std::uint32_t index);
  TensorId add_alias(TensorId root, TensorType type);
  TensorId make(ValueId id, Layout layout);
  Result<TensorId> plain(ValueId id);
  Result<TensorId> channels_last(ValueId id);
  TensorId transpose(TensorId in, std::uint64_t batch, std::uint64_t rows, std::uint64_t columns);
  bool prefers_channels_last(ValueId id) const;
  Result<TensorId> load(ValueId id);
  void add_step(std::unique_ptr<Step> step, const std::vector<std::uint32_t>& nodes);
  Status emit_outputs();
  // lower.cc: groups
  Status make_groups();
  Result<std::optional<Group>> make_group(std::uint32_t node);
  Status emit(const Group& group);
  Status emit_node(const Group& group);
  bool is_alias(const Node& node) const;
  // lower_linear.cc
  bool is_linear_conv(const Node& node);
  bool is_linear_matrix(const Node& node);
  Result<std::optional<LinearTail>> linear_tail(std::uint32_t index);
  Status emit_backend(std::uint32_t index);
  Result<std::unique_ptr<ConvStep>> shape_conv(const Node& node);
  void weigh_conv(const Node& node, const LinearTail& tail, ConvStep& step);
  Status emit_conv(const Group& group);
  Status emit_matrix(const Group& group);
  std::unique_ptr<PackedWeights> matrix_weights(const BoundValue& value, bool transposed,
                                                const LinearTail& tail);
  void describe_weights(const BoundValue& value, PackedWeights& weights);
  // lower_image.cc
  Result<bool> emit_pool(std::uint32_t index);
  Result<bool> emit_global_average(std::uint32_t index);
  Result<bool> emit_concat(std::uint32_t index);
  Status emit_chain(const Group& group);
  // lower_product.cc
  void absorb_transpositions();
  StridedValue strided(ValueId id) const;
  StridedValue strided_output(ValueId id) const;
  Result<bool> emit_product(std::uint32_t index, const std::vector<std::uint32_t>& nodes);
  Result<bool> is_plain_gemm(const Node& node, std::uint64_t columns, Floats& bias);
  Result<bool> emit_transpose(std::uint32_t index);
  // lower_rows.cc
  Status emit_norm(const Group& group);
  Result<bool> emit_softmax(std::uint32_t index);
  Result<bool> emit_lookup(std::uint32_t index);
  Status emit_alias(std::uint32_t index);
  Status emit_generic(std::uint32_t index);

  BoundGraph& bound_;
  LowerOptions options_;
  Uses uses_;
  Lowered lowered_;
  std::vector<Versions> versions_;
  std::vector<Group> groups_;
  std::vector<bool> taken_;
  std::map<ValueId, std::uint32_t> absorbed_;   // values that are not made: the transposition
  std::vector<std::uint32_t> group_ending_at_;  // by node; none where no group ends
};

// Kernel, strides, dilations and padding of a two-dimensional window, with auto_pad resolved.
Result<WindowAttributes> window_attributes(const Node& node, const Shape& in, const Shape& out,
                                           std::array<std::uint64_t, 2> kernel);

}  // namespace sealpack::nn::program
