// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"
#include "runtime-loader/nn/program/steps/backend.h"
#include "runtime-loader/nn/program/steps/conv.h"
#include "runtime-loader/nn/program/steps/matrix.h"

namespace sealpack::nn::program {
namespace {

using Algorithm = ConvStep::Algorithm;
using Form = PackedWeights::Form;

std::uint64_t dim(const Shape& shape, std::size_t axis) {
  return static_cast<std::uint64_t>(shape[axis]);
}

// Whether packing can read the value: `axis` is that of its columns.
bool can_pack(const BoundValue& value, std::size_t axis) {
  if (value.type->dtype != DType::kF32 || value.type->shape.element_count() == 0) return false;
  if (value.constant) return true;
  if (!value.stored) return false;
  const StoredView& view = *value.stored;
  const bool is_wide = view.stored.dtype == DType::kF32 || view.stored.dtype == DType::kF16;
  if (is_wide) return true;
  return !view.scale.empty() && (view.scale.size() == 1 || view.axis == axis);
}

// From shapes alone, so that results do not depend on memory or threads.
Algorithm choose_algorithm(const kernels::ConvShape& shape, std::uint64_t groups) {
  if (groups > 1 && shape.in_channels == 1 && shape.out_channels == 1) return Algorithm::kDepthwise;
  if (groups > 1) return Algorithm::kDirect;
  const bool is_unit = shape.stride_y == 1 && shape.stride_x == 1;
  if (shape.kernel_height == 1 && shape.kernel_width == 1 && is_unit && shape.pad_top == 0 &&
      shape.pad_left == 0 && shape.in_height == shape.out_height &&
      shape.in_width == shape.out_width) {
    return Algorithm::kPointwise;
  }
  const bool has_tiles = shape.out_height >= 12 && shape.out_width >= 12;
  const bool is_deep = shape.in_channels >= 16 && shape.out_channels >= 16;
  const bool is_small = shape.in_channels <= 128;  // 36 numbers for 9 have to pass through a cache
  if (shape.kernel_height == 3 && shape.kernel_width == 3 && is_unit && shape.dilation_y == 1 &&
      shape.dilation_x == 1 && has_tiles && is_deep && is_small) {
    return Algorithm::kWinograd;
  }
  return Algorithm::kDirect;
}

const char* describe(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kDirect:
      return "";
    case Algorithm::kPointwise:
      return " product";
    case Algorithm::kWinograd:
      return " winograd";
    case Algorithm::kDepthwise:
      return " depthwise";
  }
  return "";
}

}  // namespace

bool Lowering::is_linear_conv(const Node& node) {
  if (node.op != "Conv" || node.inputs.size() < 2) return false;
  const TensorType& in = bound_.type(node.inputs[0]);
  if (in.dtype != DType::kF32 || in.shape.rank() != 4 || in.shape.element_count() == 0)
    return false;
  if (bound_.type(node.outputs[0]).shape.element_count() == 0) return false;
  if (bound_.is_known(node.inputs[0]) || !can_pack(bound_.value(node.inputs[1]), 0)) return false;
  const BoundValue& weights = bound_.value(node.inputs[1]);
  if (weights.stored && weights.stored->swapped) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  const auto bias = bound_.floats(node.inputs[2]);
  return bias.ok() && !bias->empty();
}

bool Lowering::is_linear_matrix(const Node& node) {
  if (node.op != "Gemm" && node.op != "MatMul") return false;
  const TensorType& in = bound_.type(node.inputs[0]);
  const TensorType& by = bound_.type(node.inputs[1]);
  if (in.dtype != DType::kF32 || in.shape.element_count() == 0 || bound_.is_known(node.inputs[0])) {
    return false;
  }
  if (in.shape.rank() < 2 || by.shape.rank() != 2) return false;
  const bool transposed = node.op == "Gemm" && int_attribute(node, "transB", 0).value() != 0;
  if (!can_pack(bound_.value(node.inputs[1]), transposed ? 0 : 1)) return false;
  if (node.op == "MatMul") return true;
  if (int_attribute(node, "transA", 0).value() != 0) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  return bound_.is_known(node.inputs[2]) &&
         !known_columns(bound_, node.inputs[2], dim(by.shape, transposed ? 0 : 1), 1, 2).empty();
}

Result<std::optional<LinearTail>> Lowering::linear_tail(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  const Shape& out = bound_.type(node.outputs[0]).shape;
  if (is_linear_conv(node)) {
    return std::optional(TRY(match_tail(bound_, uses_, taken_, index, dim(out, 1), 1)));
  }
  if (is_linear_matrix(node)) {
    const std::size_t last = out.rank() - 1;
    return std::optional(TRY(match_tail(bound_, uses_, taken_, index, dim(out, last), last)));
  }
  return std::optional<LinearTail>();
}

void Lowering::describe_weights(const BoundValue& value, PackedWeights& weights) {
  weights.kernels = options_.kernels;
  if (value.constant) {
    weights.bytes.folded = value.constant;
    return;
  }
  const StoredView& view = *value.stored;
  weights.bytes = view.bytes;
  weights.value = view.initializer;
  switch (view.stored.dtype) {
    case DType::kF16:
      weights.type = kernels::WeightType::kF16;
      break;
    case DType::kI8:
      weights.type = kernels::WeightType::kI8;
      break;
    case DType::kU8:
      weights.type = kernels::WeightType::kU8;
      break;
    default:
      break;
  }
  weights.dequantize_scale = view.scale;
  weights.dequantize_zero = view.zero;
  if (view.scale.empty() || weights.column_scale.empty()) return;
  if (view.scale.size() == 1) {  // one product, where there would be two
    weights.dequantize_scale.assign(weights.column_scale.size(), view.scale[0]);
    weights.dequantize_zero.assign(weights.column_scale.size(), view.zero[0]);
  }
  for (std::size_t c = 0; c < weights.column_scale.size(); ++c) {
    weights.dequantize_scale[c] *= weights.column_scale[c];
  }
  weights.column_scale.clear();
}

Status Lowering::emit_backend(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  auto step = std::make_unique<BackendStep>();
  step->what = node.op + " elsewhere";
  step->node = index;
  step->input_type = bound_.type(node.inputs[0]);
  step->output_type = bound_.type(node.outputs[0]);
  step->inputs = {TRY(plain(node.inputs[0]))};
  step->outputs = {make(node.outputs[0], Layout::kPlain)};
  add_step(std::move(step), {index});
  return done();
}

Result<std::unique_ptr<ConvStep>> Lowering::shape_conv(const Node& node) {
  const Shape& in = bound_.type(node.inputs[0]).shape;
  const Shape& out = bound_.type(node.outputs[0]).shape;
  const Shape& kernel = bound_.type(node.inputs[1]).shape;
  const auto window = TRY(window_attributes(node, in, out, {dim(kernel, 2), dim(kernel, 3)}));
  auto step = std::make_unique<ConvStep>();
  step->kernels = options_.kernels;
  step->images = dim(in, 0);
  step->groups = static_cast<std::uint64_t>(TRY(int_attribute(node, "group", 1)));
  step->shape = {dim(in, 2),
                 dim(in, 3),
                 dim(in, 1) / step->groups,
                 dim(in, 1),
                 dim(out, 2),
                 dim(out, 3),
                 dim(out, 1) / step->groups,
                 dim(out, 1),
                 window.kernel[0],
                 window.kernel[1],
                 window.stride[0],
                 window.stride[1],
                 window.dilation[0],
                 window.dilation[1],
                 window.pad[0],
                 window.pad[1]};
  step->algorithm = choose_algorithm(step->shape, step->groups);
  return step;
}

// Settles the algorithm, too: it has to suit the weights.
void Lowering::weigh_conv(const Node& node, const LinearTail& tail, ConvStep& step) {
  step.weights = std::make_unique<PackedWeights>();
  PackedWeights& weights = *step.weights;
  weights.column_scale = tail.scale;
  describe_weights(bound_.value(node.inputs[1]), weights);
  weights.groups = step.groups;
  weights.columns = step.shape.out_channels;
  weights.taps = step.shape.kernel_height * step.shape.kernel_width;
  weights.inner = step.shape.in_channels * weights.taps;
  if (step.algorithm == Algorithm::kWinograd && !weights.column_scale.empty() &&
      weights.type != kernels::WeightType::kF32) {
    step.algorithm = Algorithm::kDirect;  // packing scales the stored floats, and there are none
  }
  weights.form = step.algorithm == Algorithm::kWinograd    ? Form::kWinograd
                 : step.algorithm == Algorithm::kDepthwise ? Form::kDepthwise
                 : step.groups > 1                         ? Form::kGroups
                                                           : Form::kColumns;
}

Status Lowering::emit_conv(const Group& group) {
  const Node& node = graph().nodes[group.root];
  auto step = TRY(shape_conv(node));
  weigh_conv(node, group.tail, *step);
  step->bias = group.tail.bias;
  step->activation = group.tail.activation.activation;
  step->low = group.tail.activation.low;
  step->high = group.tail.activation.high;
  step->what = "conv " + std::to_string(step->shape.kernel_height) + "x" +
               std::to_string(step->shape.kernel_width) + describe(step->algorithm);
  step->multiply_adds =
      step->rows() * step->shape.out_width * step->shape.out_stride * step->weights->inner;
  step->inputs = {TRY(channels_last(node.inputs[0]))};
  if (group.tail.residual != kNoValue) {
    step->inputs.push_back(TRY(channels_last(group.tail.residual)));
    // The other algorithms leave unfinished sums in the output.
    if (step->algorithm == Algorithm::kWinograd) step->in_place = 1;
  }
  step->outputs = {make(group.tail.output, Layout::kChannelsLast)};
  add_step(std::move(step), group.nodes);
  return done();
}

std::unique_ptr<PackedWeights> Lowering::matrix_weights(const BoundValue& value, bool transposed,
                                                        const LinearTail& tail) {
  auto weights = std::make_unique<PackedWeights>();
  weights->column_scale = tail.scale;
  describe_weights(value, *weights);
  const bool is_swapped = value.stored && value.stored->swapped;
  weights->form = transposed != is_swapped ? Form::kColumns : Form::kRows;
  weights->columns = dim(value.type->shape, transposed ? 0 : 1);
  weights->inner = dim(value.type->shape, transposed ? 1 : 0);
  return weights;
}

Status Lowering::emit_matrix(const Group& group) {
  const Node& node = graph().nodes[group.root];
  const bool transposed = node.op == "Gemm" && TRY(int_attribute(node, "transB", 0)) != 0;
  auto step = std::make_unique<MatrixStep>();
  step->weights = matrix_weights(bound_.value(node.inputs[1]), transposed, group.tail);
  step->columns = step->weights->columns;
  step->inner = step->weights->inner;
  step->row_count =
      static_cast<std::uint64_t>(bound_.type(node.inputs[0]).shape.element_count()) / step->inner;
  step->bias = group.tail.bias;
  step->activation = group.tail.activation.activation;
  step->low = group.tail.activation.low;
  step->high = group.tail.activation.high;
  step->what = "gemm";
  step->multiply_adds = step->row_count * step->columns * step->inner;
  step->inputs = {TRY(plain(node.inputs[0]))};
  if (group.tail.residual != kNoValue) step->inputs.push_back(TRY(plain(group.tail.residual)));
  step->outputs = {make(group.tail.output, Layout::kPlain)};
  add_step(std::move(step), group.nodes);
  return done();
}

}  // namespace sealpack::nn::program
