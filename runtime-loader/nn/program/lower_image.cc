// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"
#include "runtime-loader/nn/program/steps/move.h"
#include "runtime-loader/nn/program/steps/pointwise.h"
#include "runtime-loader/nn/program/steps/pool.h"

namespace sealpack::nn::program {
namespace {

std::uint64_t dim(const Shape& shape, std::size_t axis) {
  return static_cast<std::uint64_t>(shape[axis]);
}

bool is_image(const TensorType& type) {
  return type.dtype == DType::kF32 && type.shape.rank() == 4 && type.shape.element_count() > 0;
}

// Whether the node averages over the last two of four dimensions and nothing else.
Result<bool> is_global_average(const Node& node) {
  if (node.op == "GlobalAveragePool") return true;
  if (node.op != "ReduceMean" || node.inputs.size() != 1) return false;
  const auto* axes = TRY(ints_attribute(node, "axes"));
  if (axes == nullptr || axes->size() != 2) return false;
  const std::size_t first = TRY(to_axis((*axes)[0], 4));
  const std::size_t second = TRY(to_axis((*axes)[1], 4));
  return std::min(first, second) == 2 && std::max(first, second) == 3;
}

}  // namespace

Result<bool> Lowering::emit_pool(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  const bool is_average = node.op == "AveragePool";
  if (!is_average && node.op != "MaxPool" && node.op != "GlobalMaxPool") return false;
  const TensorType& in = bound_.type(node.inputs[0]);
  const TensorType& out = bound_.type(node.outputs[0]);
  const bool has_indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
  if (!is_image(in) || !is_image(out) || has_indices || bound_.is_known(node.inputs[0]))
    return false;
  const bool counts_padding = TRY(int_attribute(node, "count_include_pad", 0)) != 0;
  if (counts_padding && TRY(int_attribute(node, "ceil_mode", 0)) != 0) return false;
  std::array<std::uint64_t, 2> kernel{dim(in.shape, 2), dim(in.shape, 3)};
  if (node.op != "GlobalMaxPool") {
    const auto* given = TRY(ints_attribute(node, "kernel_shape"));
    if (given == nullptr || given->size() != 2) return false;
    kernel = {static_cast<std::uint64_t>((*given)[0]), static_cast<std::uint64_t>((*given)[1])};
  }
  const auto window = TRY(window_attributes(node, in.shape, out.shape, kernel));
  auto step = std::make_unique<PoolStep>();
  step->what = is_average ? "average pool" : "max pool";
  step->images = dim(in.shape, 0);
  step->is_average = is_average;
  step->counts_padding = counts_padding;
  const std::uint64_t channels = dim(in.shape, 1);
  step->shape = {dim(in.shape, 2),   dim(in.shape, 3),   channels,         channels,
                 dim(out.shape, 2),  dim(out.shape, 3),  channels,         channels,
                 kernel[0],          kernel[1],          window.stride[0], window.stride[1],
                 window.dilation[0], window.dilation[1], window.pad[0],    window.pad[1]};
  step->inputs = {TRY(channels_last(node.inputs[0]))};
  step->outputs = {make(node.outputs[0], Layout::kChannelsLast)};
  add_step(std::move(step), {index});
  return true;
}

Result<bool> Lowering::emit_global_average(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  if (node.op != "GlobalAveragePool" && node.op != "ReduceMean") return false;
  const TensorType& in = bound_.type(node.inputs[0]);
  if (!is_image(in) || bound_.is_known(node.inputs[0]) || !TRY(is_global_average(node)))
    return false;
  auto step = std::make_unique<GlobalAverageStep>();
  step->what = "global average";
  step->images = dim(in.shape, 0);
  step->channels = dim(in.shape, 1);
  step->pixels = dim(in.shape, 2) * dim(in.shape, 3);
  step->inputs = {TRY(channels_last(node.inputs[0]))};
  const TensorId out = make(node.outputs[0], Layout::kPlain);  // one pixel: both layouts are one
  const TensorType& type = bound_.type(node.outputs[0]);
  if (type.shape.rank() == 4) versions_[node.outputs[0]].channels_last = out;
  step->outputs = {out};
  add_step(std::move(step), {index});
  return true;
}

Result<bool> Lowering::emit_concat(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  if (node.op != "Concat") return false;
  const TensorType& out = bound_.type(node.outputs[0]);
  const std::size_t rank = out.shape.rank();
  std::size_t axis = TRY(axis_attribute(node, "axis", 0, rank));
  const bool by_channels =
      is_image(out) && std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ValueId id) { return prefers_channels_last(id); });
  // N, C, H, W lie in the order N, H, W, C.
  static constexpr std::array<std::size_t, 4> kPlace = {0, 3, 1, 2}, kOrder = {0, 2, 3, 1};
  if (by_channels) axis = kPlace[axis];
  const auto size_along = [&](const Shape& shape, std::size_t place) {
    return dim(shape, by_channels ? kOrder[place] : place);
  };
  auto step = std::make_unique<ConcatStep>();
  step->what = "concat";
  for (std::size_t i = 0; i < axis; ++i) step->row_count *= size_along(out.shape, i);
  for (const ValueId id : node.inputs) {
    std::uint64_t size = element_size(out.dtype);
    for (std::size_t i = axis; i < rank; ++i) size *= size_along(bound_.type(id).shape, i);
    step->row_sizes.push_back(size);
    step->out_row_size += size;
    step->inputs.push_back(by_channels ? TRY(channels_last(id)) : TRY(plain(id)));
  }
  step->outputs = {make(node.outputs[0], by_channels ? Layout::kChannelsLast : Layout::kPlain)};
  add_step(std::move(step), {index});
  return true;
}

Status Lowering::emit_chain(const Group& group) {
  const PointChain& chain = group.chain;
  const TensorType& type = bound_.type(chain.input);
  const bool may = is_image(type) && !chain.wants_plain;
  const bool by_channels = may && (chain.wants_channels_last || prefers_channels_last(chain.input));
  const auto get = [&](ValueId id) { return by_channels ? channels_last(id) : plain(id); };
  auto step = std::make_unique<PointwiseStep>();
  step->what = "pointwise";
  step->width = dim(type.shape, by_channels ? 1 : type.shape.rank() - 1);
  const auto count = static_cast<std::uint64_t>(type.shape.element_count());
  step->row_count = step->width == 0 ? 0 : count / step->width;
  step->inputs = {TRY(get(chain.input))};
  step->in_place = 0;
  for (const PointOp& op : chain.ops) {
    PointwiseStep::Operation operation;
    operation.op = op;
    const std::uint64_t chunk = PointwiseStep::chunk_rows(step->width) * step->width;
    if (op.side == PointOp::Side::kScalar) {
      operation.side.assign(chunk, TRY(bound_.floats(op.value)).front());
    } else if (op.side == PointOp::Side::kFull) {
      operation.input = static_cast<int>(step->inputs.size());
      step->inputs.push_back(TRY(get(op.value)));
      // Input 0 is gone once the first operation has run.
      if (op.value == chain.input) step->in_place = -1;
    } else if (op.side != PointOp::Side::kNone && bound_.is_known(op.value)) {
      const Floats row = TRY(bound_.floats(op.value));
      for (std::uint64_t i = 0; i < chunk; ++i) operation.side.push_back(row[i % step->width]);
    } else if (op.side != PointOp::Side::kNone) {
      operation.input = static_cast<int>(step->inputs.size());
      operation.is_row = true;
      step->has_row = true;
      step->inputs.push_back(TRY(plain(op.value)));
    }
    step->operations.push_back(std::move(operation));
  }
  step->outputs = {make(chain.output, by_channels ? Layout::kChannelsLast : Layout::kPlain)};
  add_step(std::move(step), group.nodes);
  return done();
}

}  // namespace sealpack::nn::program
