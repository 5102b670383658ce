// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that make a tensor out of little: a value, a range, a diagonal, positions.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

// The value that ConstantOfShape repeats; a float 0 where the node does not say.
Result<StoredTensor> filling(const Node& node) {
  const StoredTensor* given = TRY(tensor_attribute(node, "value"));
  if (given == nullptr) {
    StoredTensor zero;
    zero.type = {DType::kF32, Shape{1}};
    zero.bytes.resize(4);
    return zero;
  }
  if (given->type.shape.element_count() == 1 && given->is_inline) return *given;
  return malformed("a value of shape " + to_string(given->type.shape));
}

Types infer_constant_of_shape(const InferContext& context) {
  TRY(check_dtype(context, 0, {DType::kI64}));
  const Shape shape = TRY(Shape::make(TRY(constant_integers(context, 0, "input"))));
  return std::vector{TensorType{TRY(filling(context.node)).type.dtype, shape}};
}

Status run_constant_of_shape(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const StoredTensor value = TRY(filling(context.node));
  const CopyAxis axis[] = {
      {out.type.shape.element_count(), 0, static_cast<std::int64_t>(value.bytes.size())}};
  copy_elements(value.bytes.data(), out.data, value.bytes.size(), axis);
  return done();
}

using RangeTypes = TypeSet<float, double, std::int16_t, std::int32_t, std::int64_t>;

template <typename T>
Result<std::int64_t> range_count(T start, T limit, T delta) {
  if constexpr (std::is_floating_point_v<T>) {
    const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (!std::isfinite(count)) return malformed("a range without end");
    if (count > static_cast<double>(kMaxElements)) {
      return Error(ErrorCode::kLimit, "a range of over " + std::to_string(kMaxElements));
    }
    return static_cast<std::int64_t>(std::max(count, 0.0));
  } else {
    if (delta == 0) return malformed("a range without end");
    const bool up = delta > 0;
    if (up ? start >= limit : start <= limit) return std::int64_t{0};
    // Modulo 2^64: distances of the whole int64 range fit.
    const auto from = static_cast<std::uint64_t>(std::int64_t{up ? start : limit});
    const auto to = static_cast<std::uint64_t>(std::int64_t{up ? limit : start});
    const auto wide = static_cast<std::uint64_t>(std::int64_t{delta});
    const std::uint64_t count = (to - from - 1) / (up ? wide : ~wide + 1) + 1;
    return static_cast<std::int64_t>(std::min(count, static_cast<std::uint64_t>(kMaxElements) + 1));
  }
}

Types infer_range(const InferContext& context) {
  TRY(typed_input<RangeTypes>(context, 0));
  for (std::size_t i = 0; i < 3; ++i) {
    TRY(check_same_type(context, 0, i));
    if (context.inputs[i]->shape.element_count() != 1) return malformed("an end that is no scalar");
    if (context.constants[i].data == nullptr) {
      return unsupported("the output's shape depends on input " + std::to_string(i) +
                         ", which is not a constant");
    }
  }
  const DType dtype = context.inputs[0]->dtype;
  const std::int64_t dims[] = {
      TRY(dispatch(RangeTypes{}, dtype, [&]<typename T>() -> Result<std::int64_t> {
        return range_count<T>(context.constants[0].elements<T>()[0],
                              context.constants[1].elements<T>()[0],
                              context.constants[2].elements<T>()[0]);
      }))};
  return std::vector{TensorType{dtype, TRY(Shape::make(dims))}};
}

Status run_range(RunContext& context) {
  return dispatch(RangeTypes{}, context.outputs[0].type.dtype, [&]<typename T>() -> Status {
    const T start = context.inputs[0].elements<T>()[0];
    const T delta = context.inputs[2].elements<T>()[0];
    const std::span<T> out = context.outputs[0].elements<T>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = add(start, multiply(static_cast<T>(i), delta));
    }
    return done();
  });
}

Types infer_eye_like(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  if (in.shape.rank() != 2) return malformed("a tensor of rank " + std::to_string(in.shape.rank()));
  TRY(int_attribute(context.node, "k", 0));
  const std::int64_t number =
      TRY(int_attribute(context.node, "dtype", static_cast<std::int64_t>(in.dtype)));
  return std::vector{TensorType{TRY(to_dtype(static_cast<std::uint64_t>(number))), in.shape}};
}

Status run_eye_like(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const std::int64_t rows = out.type.shape[0];
  const std::int64_t columns = out.type.shape[1];
  const std::int64_t k = TRY(int_attribute(context.node, "k", 0));
  const std::int64_t diagonal = std::clamp(k, -rows, columns);
  std::memset(out.data, 0, static_cast<std::size_t>(out.type.size()));
  return dispatch(AllTypes{}, out.type.dtype, [&]<typename T>() -> Status {
    const std::span<T> elements = out.elements<T>();
    for (std::int64_t row = std::max<std::int64_t>(-diagonal, 0); row < rows; ++row) {
      if (row + diagonal >= columns) break;
      elements[static_cast<std::size_t>(row * columns + row + diagonal)] =
          store<T>(static_cast<Computed<T>>(1));
    }
    return done();
  });
}

// An integer that any numeric type may hold; -1, which is no position, for what does not fit.
std::int64_t position_at(const ConstTensor& tensor, std::size_t index) {
  return dispatch(NumberTypes{}, tensor.type.dtype, [&]<typename T>() -> std::int64_t {
    return saturate<std::int64_t>(load(tensor.elements<T>()[index]));
  });
}

Types infer_one_hot(const InferContext& context) {
  const Shape& indices = TRY(typed_input<NumberTypes>(context, 0))->shape;
  TRY(typed_input<NumberTypes>(context, 1));
  const TensorType& values = *context.inputs[2];
  if (values.shape != Shape{2}) return malformed("values of shape " + to_string(values.shape));
  if (context.inputs[1]->shape.element_count() != 1) return malformed("a depth that is no scalar");
  if (context.constants[1].data == nullptr) {
    return unsupported("the output's shape depends on depth, which is not a constant");
  }
  const std::int64_t depth = position_at(context.constants[1], 0);
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", -1, indices.rank() + 1));
  std::vector<std::int64_t> dims = to_list(indices);
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  return std::vector{TensorType{values.dtype, TRY(Shape::make(dims))}};
}

Status run_one_hot(RunContext& context) {
  const ConstTensor& indices = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const std::size_t axis =
      TRY(axis_attribute(context.node, "axis", -1, indices.type.shape.rank() + 1));
  const AxisView view(out.type, axis);
  const std::size_t size = element_size(out.type.dtype);
  const std::uint8_t* off = context.inputs[2].data;
  const CopyAxis all[] = {{out.type.shape.element_count(), 0, static_cast<std::int64_t>(size)}};
  copy_elements(off, out.data, size, all);
  for (std::int64_t i = 0; i < view.outer * view.inner; ++i) {
    std::int64_t position = position_at(indices, static_cast<std::size_t>(i));
    // Opset 9 knows no position from the end.
    if (position < 0 && context.opset >= 11) position += view.count;
    if (position < 0 || position >= view.count) continue;
    const std::int64_t element =
        (i / view.inner * view.count + position) * view.inner + i % view.inner;
    std::memcpy(out.data + static_cast<std::size_t>(element) * size, off + size, size);
  }
  return done();
}

template <typename T>
bool is_nonzero(T element) {
  return load(element) != Computed<T>{};
}

Types infer_non_zero(const InferContext& context) {
  const ConstTensor in = {*context.inputs[0], context.constants[0].data};
  if (!is_known(context, 0)) {
    return unsupported("the output's shape depends on contents that are not constant");
  }
  const std::int64_t count = dispatch(AllTypes{}, in.type.dtype, [&]<typename T>() -> std::int64_t {
    return std::ranges::count_if(in.elements<T>(), is_nonzero<T>);
  });
  const std::int64_t dims[] = {static_cast<std::int64_t>(in.type.shape.rank()), count};
  return std::vector{TensorType{DType::kI64, TRY(Shape::make(dims))}};
}

Status run_non_zero(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const auto out = context.outputs[0].elements<std::int64_t>();
  const auto count = static_cast<std::size_t>(context.outputs[0].type.shape[1]);
  return dispatch(AllTypes{}, in.type.dtype, [&]<typename T>() -> Status {
    Odometer at(in.type.shape.dims());
    std::size_t found = 0;
    for (const T element : in.elements<T>()) {
      if (is_nonzero(element)) {
        for (std::size_t axis = 0; axis < in.type.shape.rank(); ++axis) {
          out[axis * count + found] = at[axis];
        }
        ++found;
      }
      at.next();
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"ConstantOfShape", 9, kLastOpset, 1, 1, 1, infer_constant_of_shape, run_constant_of_shape,
     "value"},
    {"EyeLike", 9, kLastOpset, 1, 1, 1, infer_eye_like, run_eye_like, "dtype k"},
    {"NonZero", 9, kLastOpset, 1, 1, 1, infer_non_zero, run_non_zero},
    {"OneHot", 9, kLastOpset, 3, 3, 1, infer_one_hot, run_one_hot, "axis"},
    {"Range", 11, kLastOpset, 3, 3, 1, infer_range, run_range},
};

}  // namespace

std::span<const Operator> data_fill_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
