// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/lowering.h"

#include <algorithm>

#include "runtime-loader/nn/program/steps/move.h"

namespace sealpack::nn::program {

namespace {
constexpr std::uint64_t kLoadUnit = 64 << 10;  // bytes of a unit of weights that are one tensor
}

Lowering::Lowering(BoundGraph& bound, const LowerOptions& options)
    : bound_(bound), options_(options), uses_(bound) {
  versions_.resize(graph().values.size());
  taken_.resize(graph().nodes.size());
  group_ending_at_.assign(graph().nodes.size(), ~std::uint32_t{0});
}

std::uint64_t Lowered::constants_size() const {
  std::uint64_t size = 0;
  for (const auto& constant : constants) size += constant->size();
  for (const auto& step : steps) {
    size += step->constants();
    if (!step->weights) continue;
    const PackedWeights& weights = *step->weights;
    size += weights.bytes.folded ? weights.bytes.folded->size() : 0;
    size += (weights.column_scale.size() + weights.dequantize_scale.size()) * sizeof(float) +
            weights.dequantize_zero.size();
  }
  return size;
}

TensorId Lowering::add_tensor(TensorType type, PlanTensor::Home home, std::uint32_t index) {
  const auto id = static_cast<TensorId>(lowered_.tensors.size());
  const std::uint64_t size = type.size();
  lowered_.tensors.push_back({home, index, type, size, id, false});
  return id;
}

TensorId Lowering::add_alias(TensorId root, TensorType type) {
  const TensorId id = add_tensor(type, PlanTensor::Home::kMemory, 0);
  lowered_.tensors[id].root = lowered_.tensors[root].root;
  return id;
}

// A tensor for a value that a step is about to compute.
TensorId Lowering::make(ValueId id, Layout layout) {
  const TensorId tensor = add_tensor(bound_.type(id), PlanTensor::Home::kMemory, 0);
  (layout == Layout::kPlain ? versions_[id].plain : versions_[id].channels_last) = tensor;
  return tensor;
}

bool Lowering::prefers_channels_last(ValueId id) const {
  return versions_[id].channels_last != kNoTensor;
}

void Lowering::add_step(std::unique_ptr<Step> step, const std::vector<std::uint32_t>& nodes) {
  step->nodes = nodes;
  for (const TensorId id : step->inputs) step->input_sizes.push_back(lowered_.tensors[id].size);
  for (const TensorId id : step->outputs) step->output_sizes.push_back(lowered_.tensors[id].size);
  lowered_.steps.push_back(std::move(step));
}

TensorId Lowering::transpose(TensorId in, std::uint64_t batch, std::uint64_t rows,
                             std::uint64_t columns) {
  const TensorType type = lowered_.tensors[in].type;
  if (rows == 1 || columns == 1) return add_alias(in, type);
  const TensorId out = add_tensor(type, PlanTensor::Home::kMemory, 0);
  auto step = std::make_unique<TransposeStep>();
  step->what = "transpose";
  step->batch = batch;
  step->in_rows = rows;
  step->in_columns = columns;
  step->inputs = {in};
  step->outputs = {out};
  add_step(std::move(step), {});
  return out;
}

Result<TensorId> Lowering::plain(ValueId id) {
  Versions& versions = versions_[id];
  if (versions.plain != kNoTensor) return versions.plain;
  if (versions.channels_last != kNoTensor) {
    const Shape& shape = bound_.type(id).shape;
    const auto channels = static_cast<std::uint64_t>(shape[1]);
    const auto pixels = static_cast<std::uint64_t>(shape[2] * shape[3]);
    versions.plain =
        transpose(versions.channels_last, static_cast<std::uint64_t>(shape[0]), pixels, channels);
    return versions.plain;
  }
  const BoundValue& value = bound_.value(id);
  if (value.constant) {
    lowered_.constants.push_back(value.constant);
    versions.plain = add_tensor(*value.type, PlanTensor::Home::kConstant,
                                static_cast<std::uint32_t>(lowered_.constants.size() - 1));
    return versions.plain;
  }
  if (value.stored && value.stored->is_plain(*value.type)) return load(id);
  const auto producer = uses_.producer(id);
  if (!producer) {
    return Error(ErrorCode::kInternal, printable(graph().values[id].name) + " has no producer");
  }
  TRY(emit_generic(*producer));  // a view that this reader cannot use as such
  return versions_[id].plain;
}

Result<TensorId> Lowering::channels_last(ValueId id) {
  if (versions_[id].channels_last != kNoTensor) return versions_[id].channels_last;
  const TensorId in = TRY(plain(id));
  const Shape& shape = bound_.type(id).shape;
  const TensorId out =
      transpose(in, static_cast<std::uint64_t>(shape[0]), static_cast<std::uint64_t>(shape[1]),
                static_cast<std::uint64_t>(shape[2] * shape[3]));
  versions_[id].channels_last = out;
  return out;
}

// Weights that a step takes as a tensor.
Result<TensorId> Lowering::load(ValueId id) {
  const BoundValue& value = bound_.value(id);
  const TensorId out = make(id, Layout::kPlain);
  lowered_.tensors[out].is_weights = true;
  auto step = std::make_unique<LoadStep>();
  step->what = "load weights";
  step->outputs = {out};
  step->weights = std::make_unique<PackedWeights>();
  PackedWeights& weights = *step->weights;
  weights.form = PackedWeights::Form::kDense;
  weights.bytes = value.stored->bytes;
  weights.value = value.stored->initializer;
  weights.kernels = options_.kernels;
  weights.dense_size = value.type->size();
  weights.inner = std::min(kLoadUnit, weights.dense_size);
  weights.dense_units = (weights.dense_size + weights.inner - 1) / weights.inner;
  add_step(std::move(step), {});
  return out;
}

// Each output of the graph gets a tensor of its own that the last step writes to, or a copy.
Status Lowering::emit_outputs() {
  for (std::uint32_t i = 0; i < graph().outputs.size(); ++i) {
    const TensorId from = TRY(plain(graph().outputs[i]));
    const TensorId root = lowered_.tensors[from].root;
    PlanTensor& tensor = lowered_.tensors[root];
    if (tensor.home == PlanTensor::Home::kMemory && !tensor.is_weights) {
      tensor.home = PlanTensor::Home::kOutput;
      tensor.index = i;
      continue;
    }
    const TensorType type = bound_.type(graph().outputs[i]);
    const TensorId out = add_tensor(type, PlanTensor::Home::kOutput, i);
    auto step = std::make_unique<ConcatStep>();
    step->what = "copy";
    step->inputs = {from};
    step->outputs = {out};
    step->row_sizes = {type.size()};
    step->out_row_size = type.size();
    add_step(std::move(step), {});
  }
  return done();
}

}  // namespace sealpack::nn::program
