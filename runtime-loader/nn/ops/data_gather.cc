// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that pick elements by indexes in a tensor. Indexes are checked as they are used.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

Types infer_gather(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(check_dtype(context, 1, {DType::kI32, DType::kI64}));
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.shape.rank()));
  std::vector<std::int64_t> dims = to_list(in.shape);
  const std::vector<std::int64_t> indices = to_list(context.inputs[1]->shape);
  const auto at = dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(at, indices.begin(), indices.end());
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_gather(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.type.shape.rank()));
  const AxisView view(in.type, axis);
  const IndexReader indices(context.inputs[1]);
  const std::int64_t count = context.inputs[1].type.shape.element_count();
  std::uint8_t* to = context.outputs[0].data;
  for (std::int64_t outer = 0; outer < view.outer; ++outer) {
    const std::uint8_t* from = in.data + outer * view.count * view.size;
    for (std::int64_t i = 0; i < count; ++i, to += view.size) {
      const std::int64_t index = indices.at(i, view.count);
      if (index < 0) return indices.refused(i, view.count);
      std::memcpy(to, from + index * view.size, static_cast<std::size_t>(view.size));
    }
  }
  return done();
}

Types infer_gather_elements(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Shape& indices = context.inputs[1]->shape;
  TRY(check_dtype(context, 1, {DType::kI32, DType::kI64}));
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.shape.rank()));
  bool fits = indices.rank() == in.shape.rank();
  for (std::size_t i = 0; fits && i < indices.rank(); ++i) {
    fits = i == axis || indices[i] <= in.shape[i];
  }
  if (fits) return std::vector{TensorType{in.dtype, indices}};
  return malformed("indices of shape " + to_string(indices) + " for a tensor of shape " +
                   to_string(in.shape));
}

Status run_gather_elements(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const ConstTensor& positions = context.inputs[1];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.type.shape.rank()));
  const auto strides = byte_strides(in.type);
  const std::size_t size = element_size(in.type.dtype);
  const IndexReader indices(positions);
  std::uint8_t* to = context.outputs[0].data;
  Odometer at(positions.type.shape.dims());
  std::int64_t i = 0;
  do {
    const std::int64_t index = indices.at(i, in.type.shape[axis]);
    if (index < 0) return indices.refused(i, in.type.shape[axis]);
    std::int64_t offset = index * strides[axis];
    for (std::size_t a = 0; a < in.type.shape.rank(); ++a) {
      if (a != axis) offset += at[a] * strides[a];
    }
    std::memcpy(to, in.data + offset, size);
    to += size;
    ++i;
  } while (at.next());
  return done();
}

Types infer_gather_nd(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Shape& indices = context.inputs[1]->shape;
  TRY(check_dtype(context, 1, {DType::kI64}));
  const std::int64_t batch = TRY(int_attribute(context.node, "batch_dims", 0));
  const auto last = static_cast<std::int64_t>(indices.rank()) - 1;
  if (last < 0 || batch < 0 || batch > last) {
    return malformed("indices of shape " + to_string(indices) + " with batch_dims " +
                     std::to_string(batch));
  }
  const auto lead = static_cast<std::size_t>(batch);
  const std::int64_t depth = indices[indices.rank() - 1];
  if (depth < 1 || depth > static_cast<std::int64_t>(in.shape.rank()) - batch) {
    return malformed("indices of " + std::to_string(depth) + " axes for a tensor of shape " +
                     to_string(in.shape));
  }
  std::vector<std::int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  for (std::size_t axis = 0; axis < lead; ++axis) {
    if (indices[axis] != in.shape[axis]) return malformed("batches that do not agree");
  }
  for (std::size_t axis = lead + static_cast<std::size_t>(depth); axis < in.shape.rank(); ++axis) {
    dims.push_back(in.shape[axis]);
  }
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_gather_nd(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const ConstTensor& positions = context.inputs[1];
  const auto lead = static_cast<std::size_t>(TRY(int_attribute(context.node, "batch_dims", 0)));
  const std::int64_t depth = positions.type.shape[positions.type.shape.rank() - 1];
  const auto strides = byte_strides(in.type);
  const std::size_t first_inner = lead + static_cast<std::size_t>(depth);
  const AxisView inner(in.type, first_inner - 1);
  const AxisView batches(in.type, lead);
  const IndexReader indices(positions);
  const std::int64_t tuples = positions.type.shape.element_count() / depth;
  const std::int64_t tuples_in_batch = tuples / batches.outer;
  const std::int64_t batch_stride = batches.count * batches.size;
  std::uint8_t* to = context.outputs[0].data;
  for (std::int64_t tuple = 0; tuple < tuples; ++tuple, to += inner.size) {
    const std::uint8_t* from = in.data + tuple / tuples_in_batch * batch_stride;
    for (std::int64_t i = 0; i < depth; ++i) {
      const std::size_t axis = lead + static_cast<std::size_t>(i);
      const std::int64_t index = indices.at(tuple * depth + i, in.type.shape[axis]);
      if (index < 0) return indices.refused(tuple * depth + i, in.type.shape[axis]);
      from += index * strides[axis];
    }
    std::memcpy(to, from, static_cast<std::size_t>(inner.size));
  }
  return done();
}

constexpr Operator kOperators[] = {
    {"Gather", 9, kLastOpset, 2, 2, 1, infer_gather, run_gather, "axis"},
    {"GatherElements", 11, kLastOpset, 2, 2, 1, infer_gather_elements, run_gather_elements, "axis"},
    {"GatherND", 11, 11, 2, 2, 1, infer_gather_nd, run_gather_nd},
    {"GatherND", 12, kLastOpset, 2, 2, 1, infer_gather_nd, run_gather_nd, "batch_dims"},
};

}  // namespace

std::span<const Operator> data_gather_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
