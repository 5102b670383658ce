// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <numeric>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that put tensors together along an axis or take them apart.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

constexpr std::int64_t kNoAxis = INT64_MAX;

Status check_axis_sign(const InferContext& context, std::int64_t axis) {
  if (axis >= 0 || context.opset >= 11) return done();
  return malformed("a negative axis before opset 11");
}

Types infer_concat(const InferContext& context) {
  const TensorType& first = *context.inputs[0];
  const std::int64_t given = TRY(int_attribute(context.node, "axis", kNoAxis));
  if (given == kNoAxis) return malformed("attribute axis is missing");
  TRY(check_axis_sign(context, given));
  const std::size_t axis = TRY(to_axis(given, first.shape.rank()));
  std::vector<std::int64_t> dims = to_list(first.shape);
  dims[axis] = 0;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    if (!has_input(context, i)) return malformed("input " + std::to_string(i) + " is missing");
    TRY(check_same_type(context, 0, i));
    const Shape& shape = context.inputs[i]->shape;
    bool fits = shape.rank() == dims.size();
    for (std::size_t a = 0; fits && a < dims.size(); ++a) {
      fits = a == axis || shape[a] == first.shape[a];
    }
    if (!fits) {
      return malformed("shapes " + to_string(first.shape) + " and " + to_string(shape) +
                       " do not join along axis " + std::to_string(axis));
    }
    dims[axis] += shape[axis];
    TRY(Shape::make(dims));  // here, so that sums stay bounded
  }
  return std::vector{TensorType{first.dtype, TRY(Shape::make(dims))}};
}

Status run_concat(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const std::size_t axis =
      TRY(axis_attribute(context.node, "axis", kNoAxis, out.type.shape.rank()));
  const AxisView whole(out.type, axis);
  std::uint8_t* to = out.data;
  for (const ConstTensor& in : context.inputs) {
    const AxisView part(in.type, axis);
    const std::int64_t bytes = part.count * part.size;
    const CopyAxis axes[] = {{part.outer, bytes, whole.count * whole.size}, {bytes, 1, 1}};
    copy_elements(in.data, to, 1, axes);
    to += bytes;
  }
  return done();
}

Types infer_split(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const std::int64_t given = TRY(int_attribute(context.node, "axis", 0));
  TRY(check_axis_sign(context, given));
  const std::size_t axis = TRY(to_axis(given, in.shape.rank()));
  const auto parts = static_cast<std::int64_t>(context.node.outputs.size());
  std::vector<std::int64_t> sizes;
  if (context.opset >= 13) {
    if (has_input(context, 1)) sizes = TRY(constant_integers(context, 1, "split"));
  } else {
    sizes = TRY(integers_attribute(context.node, "split"));
  }
  if (sizes.empty()) {
    if (in.shape[axis] % parts != 0) {
      return malformed("a dimension of " + std::to_string(in.shape[axis]) +
                       " is not to be split into " + std::to_string(parts) + " equal parts");
    }
    sizes.assign(context.node.outputs.size(), in.shape[axis] / parts);
  }
  std::vector<TensorType> types;
  std::vector<std::int64_t> dims = to_list(in.shape);
  std::int64_t left = in.shape[axis];
  for (const std::int64_t size : sizes) {
    if (size < 0 || size > left || types.size() == context.node.outputs.size()) left = -1;
    if (left < 0) break;
    left -= size;
    dims[axis] = size;
    types.push_back({in.dtype, TRY(Shape::make(dims))});
  }
  if (left == 0 && types.size() == context.node.outputs.size()) return types;
  return malformed(std::to_string(sizes.size()) + " sizes that do not split a dimension of " +
                   std::to_string(in.shape[axis]) + " into " + std::to_string(parts));
}

Status run_split(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.type.shape.rank()));
  const AxisView whole(in.type, axis);
  const std::uint8_t* from = in.data;
  for (const Tensor& out : context.outputs) {
    const AxisView part(out.type, axis);
    const std::int64_t bytes = part.count * part.size;
    const CopyAxis axes[] = {{part.outer, whole.count * whole.size, bytes}, {bytes, 1, 1}};
    if (out.data != nullptr) copy_elements(from, out.data, 1, axes);
    from += bytes;
  }
  return done();
}

constexpr std::size_t kMany = std::numeric_limits<std::int32_t>::max();

constexpr Operator kOperators[] = {
    {"Concat", 9, kLastOpset, 1, kMany, 1, infer_concat, run_concat, "axis"},
    {"Split", 9, 12, 1, 1, kMany, infer_split, run_split, "axis split"},
    {"Split", 13, kLastOpset, 1, 2, kMany, infer_split, run_split, "axis"},
};

}  // namespace

std::span<const Operator> data_join_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
