// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"
#include "runtime-loader/nn/program/steps/generic.h"
#include "runtime-loader/nn/program/steps/move.h"
#include "runtime-loader/nn/program/steps/rows.h"

namespace sealpack::nn::program {
namespace {

std::uint64_t dim(const Shape& shape, std::size_t axis) {
  return static_cast<std::uint64_t>(shape[axis]);
}

std::uint64_t product_from(const Shape& shape, std::size_t axis) {
  std::uint64_t product = 1;
  for (std::size_t i = axis; i < shape.rank(); ++i) product *= dim(shape, i);
  return product;
}

}  // namespace

Status Lowering::emit_norm(const Group& group) {
  const NormMatch& norm = group.norm;
  auto step = std::make_unique<LayerNormStep>();
  step->what = "layer norm";
  step->width = norm.width;
  step->row_count =
      static_cast<std::uint64_t>(bound_.type(norm.input).shape.element_count()) / norm.width;
  step->scale = norm.scale;
  step->bias = norm.bias;
  step->epsilon = norm.epsilon;
  step->inputs = {TRY(plain(norm.input))};
  step->outputs = {make(norm.output, Layout::kPlain)};
  add_step(std::move(step), group.nodes);
  return done();
}

Result<bool> Lowering::emit_softmax(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  const TensorType& type = bound_.type(node.inputs[0]);
  if (node.op != "Softmax" || type.dtype != DType::kF32 || type.shape.rank() == 0) return false;
  if (type.shape.element_count() == 0) return false;
  const bool is_flat = bound_.graph().opset < 13;  // before, a row was all that follows the axis
  const std::size_t axis = TRY(axis_attribute(node, "axis", is_flat ? 1 : -1, type.shape.rank()));
  const std::uint64_t width = product_from(type.shape, axis);
  if (!is_flat && width != dim(type.shape, axis)) return false;
  auto step = std::make_unique<SoftmaxStep>();
  step->what = "softmax";
  step->width = width;
  step->row_count = static_cast<std::uint64_t>(type.shape.element_count()) / width;
  step->inputs = {TRY(plain(node.inputs[0]))};
  step->outputs = {make(node.outputs[0], Layout::kPlain)};
  add_step(std::move(step), {index});
  return true;
}

// A table that is too large to be a constant, looked up by what is computed.
Result<bool> Lowering::emit_lookup(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  if (node.op != "Gather") return false;
  const BoundValue& table = bound_.value(node.inputs[0]);
  const TensorType& indexes = bound_.type(node.inputs[1]);
  if (!table.stored || !table.stored->is_plain(*table.type)) return false;
  if (indexes.dtype != DType::kI64 && indexes.dtype != DType::kI32) return false;
  const Shape& shape = table.type->shape;
  if (TRY(axis_attribute(node, "axis", 0, shape.rank())) != 0 || table.type->size() == 0)
    return false;
  auto step = std::make_unique<LookupStep>();
  step->what = "lookup";
  step->table_rows = dim(shape, 0);
  step->row_size = table.type->size() / step->table_rows;
  step->index_count = static_cast<std::uint64_t>(indexes.shape.element_count());
  step->index_type = indexes.dtype;
  step->weights = std::make_unique<PackedWeights>();
  PackedWeights& weights = *step->weights;
  constexpr std::uint64_t kUnit = 64 << 10;
  weights.form = PackedWeights::Form::kDense;
  weights.bytes = table.stored->bytes;
  weights.value = table.stored->initializer;
  weights.kernels = options_.kernels;
  weights.dense_size = table.type->size();
  weights.inner = std::max<std::uint64_t>(1, kUnit / step->row_size) * step->row_size;
  weights.dense_units = (weights.dense_size + weights.inner - 1) / weights.inner;
  step->inputs = {TRY(plain(node.inputs[1]))};
  step->outputs = {make(node.outputs[0], Layout::kPlain)};
  add_step(std::move(step), {index});
  return true;
}

Status Lowering::emit_alias(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  const ValueId from = node.inputs[0], to = node.outputs[0];
  if (node.op == "Identity" || node.op == "Dropout") {
    versions_[to] = versions_[from];
    if (versions_[to].plain == kNoTensor && versions_[to].channels_last == kNoTensor) {
      versions_[to].plain = TRY(plain(from));
    }
    return done();
  }
  versions_[to].plain = add_alias(TRY(plain(from)), bound_.type(to));
  return done();
}

Status Lowering::emit_generic(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  auto step = std::make_unique<GenericStep>();
  step->what = node.op;
  step->node = &node;
  step->opset = graph().opset;
  for (const ValueId id : node.inputs) {
    step->input_types.push_back(id == kNoValue ? TensorType{DType::kF32, Shape{0}}
                                               : bound_.type(id));
    step->input_operands.push_back(id == kNoValue ? -1 : static_cast<int>(step->inputs.size()));
    if (id != kNoValue) step->inputs.push_back(TRY(plain(id)));
  }
  for (const ValueId id : node.outputs) {
    const bool is_read = id != kNoValue && (uses_.is_output(id) || !uses_.readers(id).empty());
    step->output_types.push_back(id == kNoValue ? TensorType{DType::kF32, Shape{0}}
                                                : bound_.type(id));
    step->output_operands.push_back(is_read ? static_cast<int>(step->outputs.size()) : -1);
    if (is_read) step->outputs.push_back(make(id, Layout::kPlain));
  }
  step->scratch_size = operator_scratch(node, step->input_types, step->output_types);
  add_step(std::move(step), {index});
  return done();
}

}  // namespace sealpack::nn::program
