// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that put updates into a copy of a tensor, by indexes in a tensor. Indexes are checked
// as they are used.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

enum class Reduction { kNone, kAdd, kMultiply };

Result<Reduction> read_reduction(const Node& node) {
  const std::string name = TRY(text_attribute(node, "reduction", "none"));
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMultiply;
  return malformed("reduction " + shown(name));
}

// Whether sums and products are told apart from copies for this type: true or false is neither.
Status check_reduction(const InferContext& context) {
  const Reduction reduction = TRY(read_reduction(context.node));
  if (reduction == Reduction::kNone || context.inputs[0]->dtype != DType::kBool) return done();
  return unsupported("a reduction of bool");
}

template <typename T>
void apply(Reduction reduction, std::span<const T> from, std::uint8_t* bytes) {
  T* to = reinterpret_cast<T*>(bytes);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto a = load(to[i]);
    const auto b = load(from[i]);
    to[i] = store<T>(reduction == Reduction::kAdd ? add(a, b) : multiply(a, b));
  }
}

// Puts `count` elements of the updates, from `first`, where `to` points.
void put(Reduction reduction, const ConstTensor& updates, std::int64_t first, std::int64_t count,
         std::uint8_t* to) {
  const auto start = static_cast<std::size_t>(first);
  const auto length = static_cast<std::size_t>(count);
  if (reduction == Reduction::kNone) {
    const std::size_t size = element_size(updates.type.dtype);
    std::memcpy(to, updates.data + start * size, length * size);
    return;
  }
  dispatch(NumberTypes{}, updates.type.dtype, [&]<typename T>() {
    apply<T>(reduction, updates.elements<T>().subspan(start, length), to);
    return 0;
  });
}

void copy_data(const RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  std::memcpy(context.outputs[0].data, in.data, static_cast<std::size_t>(in.type.size()));
}

Types infer_scatter_elements(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Shape& indices = context.inputs[1]->shape;
  TRY(check_dtype(context, 1, {DType::kI32, DType::kI64}));
  TRY(check_input(context, 2, {in.dtype, indices}));
  TRY(axis_attribute(context.node, "axis", 0, in.shape.rank()));
  TRY(check_reduction(context));
  bool fits = indices.rank() == in.shape.rank();
  for (std::size_t i = 0; fits && i < indices.rank(); ++i) fits = indices[i] <= in.shape[i];
  if (fits) return std::vector{in};
  return malformed("indices of shape " + to_string(indices) + " for a tensor of shape " +
                   to_string(in.shape));
}

Status run_scatter_elements(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const ConstTensor& positions = context.inputs[1];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, out.type.shape.rank()));
  const Reduction reduction = TRY(read_reduction(context.node));
  copy_data(context);
  if (positions.type.size() == 0) return done();
  const auto strides = byte_strides(out.type);
  const IndexReader indices(positions);
  Odometer at(positions.type.shape.dims());
  std::int64_t i = 0;
  do {
    const std::int64_t index = indices.at(i, out.type.shape[axis]);
    if (index < 0) return indices.refused(i, out.type.shape[axis]);
    std::int64_t offset = index * strides[axis];
    for (std::size_t a = 0; a < out.type.shape.rank(); ++a) {
      if (a != axis) offset += at[a] * strides[a];
    }
    put(reduction, context.inputs[2], i, 1, out.data + offset);
    ++i;
  } while (at.next());
  return done();
}

Types infer_scatter_nd(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Shape& indices = context.inputs[1]->shape;
  TRY(check_dtype(context, 1, {DType::kI64}));
  TRY(check_reduction(context));
  const std::int64_t depth = indices.rank() == 0 ? 0 : indices[indices.rank() - 1];
  if (depth < 1 || depth > static_cast<std::int64_t>(in.shape.rank())) {
    return malformed("indices of shape " + to_string(indices) + " for a tensor of shape " +
                     to_string(in.shape));
  }
  std::vector<std::int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  const auto rest = in.shape.dims().subspan(static_cast<std::size_t>(depth));
  dims.insert(dims.end(), rest.begin(), rest.end());
  TRY(check_input(context, 2, {in.dtype, TRY(Shape::make(dims))}));
  return std::vector{in};
}

Status run_scatter_nd(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const ConstTensor& positions = context.inputs[1];
  const Reduction reduction = TRY(read_reduction(context.node));
  copy_data(context);
  const std::int64_t depth = positions.type.shape[positions.type.shape.rank() - 1];
  const auto strides = byte_strides(out.type);
  const AxisView inner(out.type, static_cast<std::size_t>(depth) - 1);
  const IndexReader indices(positions);
  const std::int64_t tuples = positions.type.shape.element_count() / depth;
  for (std::int64_t tuple = 0; tuple < tuples; ++tuple) {
    std::int64_t offset = 0;
    for (std::int64_t i = 0; i < depth; ++i) {
      const auto axis = static_cast<std::size_t>(i);
      const std::int64_t index = indices.at(tuple * depth + i, out.type.shape[axis]);
      if (index < 0) return indices.refused(tuple * depth + i, out.type.shape[axis]);
      offset += index * strides[axis];
    }
    put(reduction, context.inputs[2], tuple * inner.inner, inner.inner, out.data + offset);
  }
  return done();
}

constexpr Operator kOperators[] = {
    {"Scatter", 9, 10, 3, 3, 1, infer_scatter_elements, run_scatter_elements, "axis"},
    {"ScatterElements", 11, 15, 3, 3, 1, infer_scatter_elements, run_scatter_elements, "axis"},
    {"ScatterElements", 16, kLastOpset, 3, 3, 1, infer_scatter_elements, run_scatter_elements,
     "axis reduction"},
    {"ScatterND", 11, 15, 3, 3, 1, infer_scatter_nd, run_scatter_nd},
    {"ScatterND", 16, kLastOpset, 3, 3, 1, infer_scatter_nd, run_scatter_nd, "reduction"},
};

}  // namespace

std::span<const Operator> data_scatter_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
