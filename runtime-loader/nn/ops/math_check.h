// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/ops/math_types.h"
#include "runtime-loader/nn/ops/operator_tables.h"

// What infer asks of the inputs of a node that computes, beside attributes.h.
namespace sealpack::nn {

Error malformed(std::string message);
Error unsupported(std::string message);

// A list of integers by value; empty where there is none, as well as where the list is empty.
Result<std::vector<std::int64_t>> integers_attribute(const Node& node, std::string_view name);

// Axes of -rank … rank-1, each at most once, as flags by axis. kMalformed.
using AxisFlags = std::array<bool, kMaxRank>;
Result<AxisFlags> check_axes(std::span<const std::int64_t> axes, std::size_t rank);

// nullptr where the node leaves it out.
const TensorType* optional_input(const InferContext& context, std::size_t index);
const ConstTensor* optional_input(const RunContext& context, std::size_t index);
// nullptr where the node has no such output or nobody reads it.
const Tensor* optional_output(const RunContext& context, std::size_t index);

Error wrong_type(const InferContext& context, std::size_t index);
// Input `index`, there and of one of the types. kMalformed.
template <typename Types>
Result<const TensorType*> typed_input(const InferContext& context, std::size_t index) {
  const TensorType* type = optional_input(context, index);
  if (type == nullptr) return malformed("input " + std::to_string(index) + " is missing");
  if (!contains(Types{}, type->dtype)) return wrong_type(context, index);
  return type;
}
// Inputs `a` and `b` are there and have one element type. kMalformed.
Status check_same_type(const InferContext& context, std::size_t a, std::size_t b);
// Input `index`, if there, has exactly this type. kMalformed.
Status check_input(const InferContext& context, std::size_t index, const TensorType& type);

std::size_t to_size(std::int64_t count);  // of a value that is not negative

}  // namespace sealpack::nn
