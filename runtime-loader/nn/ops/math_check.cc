// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_check.h"

namespace sealpack::nn {

Error malformed(std::string message) {
  return {ErrorCode::kMalformed, std::move(message)};
}

Error unsupported(std::string message) {
  return {ErrorCode::kUnsupported, std::move(message)};
}

Result<std::vector<std::int64_t>> integers_attribute(const Node& node, std::string_view name) {
  const std::vector<std::int64_t>* value = TRY(ints_attribute(node, name));
  return value == nullptr ? std::vector<std::int64_t>() : *value;
}

Result<AxisFlags> check_axes(std::span<const std::int64_t> axes, std::size_t rank) {
  AxisFlags chosen{};
  for (const std::int64_t axis : axes) {
    const std::size_t index = TRY(to_axis(axis, rank));
    if (chosen[index]) return malformed("axis " + std::to_string(axis) + " is named twice");
    chosen[index] = true;
  }
  return chosen;
}

const TensorType* optional_input(const InferContext& context, std::size_t index) {
  return index < context.inputs.size() ? context.inputs[index] : nullptr;
}

const ConstTensor* optional_input(const RunContext& context, std::size_t index) {
  return has_input(context, index) ? &context.inputs[index] : nullptr;
}

const Tensor* optional_output(const RunContext& context, std::size_t index) {
  if (index >= context.outputs.size() || context.outputs[index].data == nullptr) return nullptr;
  return &context.outputs[index];
}

Error wrong_type(const InferContext& context, std::size_t index) {
  return malformed("input " + std::to_string(index) + " is " +
                   to_string(context.inputs[index]->dtype) + ", which this operator does not take");
}

Status check_same_type(const InferContext& context, std::size_t a, std::size_t b) {
  const TensorType* first = optional_input(context, a);
  const TensorType* second = optional_input(context, b);
  if (first == nullptr || second == nullptr) {
    return malformed("input " + std::to_string(first == nullptr ? a : b) + " is missing");
  }
  if (first->dtype == second->dtype) return done();
  return malformed("inputs " + std::to_string(a) + " and " + std::to_string(b) + " are " +
                   to_string(first->dtype) + " and " + to_string(second->dtype));
}

Status check_input(const InferContext& context, std::size_t index, const TensorType& type) {
  const TensorType* input = optional_input(context, index);
  if (input == nullptr || *input == type) return done();
  return malformed("input " + std::to_string(index) + " is " + to_string(input->dtype) +
                   to_string(input->shape) + ", not " + to_string(type.dtype) +
                   to_string(type.shape));
}

std::size_t to_size(std::int64_t count) {
  if (count < 0) die("a count below zero");
  return static_cast<std::size_t>(count);
}

}  // namespace sealpack::nn
