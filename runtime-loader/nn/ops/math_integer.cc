// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_convolve.h"
#include "runtime-loader/nn/ops/math_matmul_shape.h"
#include "runtime-loader/nn/ops/math_tables.h"

// Products and convolutions of 8-bit numbers: sums in int32 modulo 2^32, then, for QLinear…, back
// to 8 bits.
namespace sealpack::nn {
namespace {

// A scale or zero point: one for all, or one a row, column or channel. Number `index` of it.
std::size_t parameter_index(const ConstTensor& parameter, std::size_t index) {
  return parameter.type.shape.element_count() == 1 ? 0 : index;
}

std::int32_t zero_at(const ConstTensor* zero_point, std::size_t index) {
  if (zero_point == nullptr) return 0;
  const std::size_t at = parameter_index(*zero_point, index);
  return dispatch(ByteTypes{}, zero_point->type.dtype,
                  [&]<typename T>() -> std::int32_t { return zero_point->elements<T>()[at]; });
}

float scale_at(const ConstTensor& scale, std::size_t index) {
  return scale.elements<float>()[parameter_index(scale, index)];
}

// Input `index`, if there, is of `dtype` and has one element, or `count` in one dimension.
Status check_parameter(const InferContext& context, std::size_t index, DType dtype,
                       std::int64_t count) {
  const TensorType* type = optional_input(context, index);
  if (type == nullptr) return done();
  if (type->dtype != dtype) return wrong_type(context, index);
  const Shape& shape = type->shape;
  if (shape.rank() <= 1 && shape.element_count() == 1) return done();
  if (shape.rank() == 1 && shape[0] == count) return done();
  if (shape.rank() > 1) {
    return unsupported("input " + std::to_string(index) + " of shape " + to_string(shape) +
                       ": a zero point or scale for each matrix");
  }
  return malformed("input " + std::to_string(index) + " of shape " + to_string(shape) +
                   ", where there are " + std::to_string(count) + " rows or columns");
}

// Where an operator has its inputs; kNone for what it does not have.
struct Places {
  std::size_t a, a_scale, a_zero;
  std::size_t b, b_scale, b_zero;
  std::size_t out_scale, out_zero, bias;
};
constexpr std::size_t kNone = ~std::size_t{0};
constexpr Places kInteger{0, kNone, 2, 1, kNone, 3, kNone, kNone, kNone};
constexpr Places kLinear{0, 1, 2, 3, 4, 5, 6, 7, 8};

const ConstTensor* zero_point(const RunContext& context, std::size_t place) {
  return place == kNone ? nullptr : optional_input(context, place);
}

// `rows` and `columns`: how many parameters a and b may have; the output has one or as many as a.
Result<DType> check_quantized(const InferContext& context, const Places& at, std::int64_t rows,
                              std::int64_t columns) {
  const TensorType* a = TRY(typed_input<ByteTypes>(context, at.a));
  const TensorType* b = TRY(typed_input<ByteTypes>(context, at.b));
  TRY(check_parameter(context, at.a_zero, a->dtype, rows));
  TRY(check_parameter(context, at.b_zero, b->dtype, columns));
  if (at.out_scale == kNone) return DType::kI32;
  const TensorType* zero = TRY(typed_input<ByteTypes>(context, at.out_zero));
  TRY(check_parameter(context, at.a_scale, DType::kF32, rows));
  TRY(check_parameter(context, at.b_scale, DType::kF32, columns));
  TRY(check_parameter(context, at.out_scale, DType::kF32, rows));
  TRY(check_parameter(context, at.out_zero, zero->dtype, rows));
  return zero->dtype;
}

// round(sum * (a's scale * b's scale / output's scale)) + zero point, ties to even.
template <typename Q>
Q requantize(const RunContext& context, std::int32_t sum, std::size_t row, std::size_t column) {
  const float multiplier = scale_at(context.inputs[kLinear.a_scale], row) *
                           scale_at(context.inputs[kLinear.b_scale], column) /
                           scale_at(context.inputs[kLinear.out_scale], row);
  const float value = std::nearbyint(static_cast<float>(sum) * multiplier);
  const std::int32_t zero = zero_at(&context.inputs[kLinear.out_zero], row);
  return saturate<Q>(static_cast<double>(value) + zero);
}

template <const Places& at>
Result<std::vector<TensorType>> infer_matmul(const InferContext& context) {
  const TensorType* a = TRY(typed_input<ByteTypes>(context, at.a));
  const TensorType* b = TRY(typed_input<ByteTypes>(context, at.b));
  const MatMulShape shape = TRY(matmul_shape(a->shape, b->shape));
  const DType dtype =
      TRY(check_quantized(context, at, static_cast<std::int64_t>(shape.product.rows),
                          static_cast<std::int64_t>(shape.product.columns)));
  return std::vector<TensorType>{{dtype, shape.output}};
}

// Elements less their zero points, which number index(element).
template <typename Index>
Result<Scratch<std::int32_t>> centred(const RunContext& context, std::size_t place,
                                      const ConstTensor* zero, const Index& index) {
  const ConstTensor& tensor = context.inputs[place];
  const std::size_t count = to_size(tensor.type.shape.element_count());
  Scratch<std::int32_t> result = TRY(Scratch<std::int32_t>::make(context.memory, count));
  return dispatch(ByteTypes{}, tensor.type.dtype, [&]<typename T>() {
    const std::span<const T> in = tensor.elements<T>();
    for (std::size_t i = 0; i < count; ++i) {
      result.data()[i] = in[i] - zero_at(zero, index(i));
    }
    return Result<Scratch<std::int32_t>>(std::move(result));
  });
}

void store_sums(const RunContext& context, std::span<const std::int32_t> sums, std::size_t first,
                const ProductShape& product) {
  const Tensor& output = context.outputs[0];
  using OutTypes = TypeSet<std::int32_t, std::int8_t, std::uint8_t>;
  const bool stored = dispatch(OutTypes{}, output.type.dtype, [&]<typename Q>() {
    Q* out = output.elements<Q>().data() + first;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if constexpr (std::is_same_v<Q, std::int32_t>) {
        out[i] = sums[i];
      } else {
        out[i] = requantize<Q>(context, sums[i], i / product.columns, i % product.columns);
      }
    }
    return true;
  });
  if (!stored) die("a type of sums that is not there");
}

template <const Places& at>
Status run_matmul(RunContext& context) {
  if (context.outputs[0].type.shape.element_count() == 0) return done();
  const MatMulShape shape =
      TRY(matmul_shape(context.inputs[at.a].type.shape, context.inputs[at.b].type.shape));
  const ProductShape& product = shape.product;
  const auto a = TRY(centred(context, at.a, zero_point(context, at.a_zero),
                             [&](std::size_t i) { return i / product.inner % product.rows; }));
  const auto b = TRY(centred(context, at.b, zero_point(context, at.b_zero),
                             [&](std::size_t i) { return i % product.columns; }));
  const std::size_t size = product.rows * product.columns;
  const auto sums = TRY(Scratch<std::int32_t>::make(context.memory, size));
  return shape.for_each([&](std::size_t from_a, std::size_t from_b, std::size_t to) -> Status {
    const MatrixView<std::int32_t> left{a.data() + from_a * product.rows * product.inner,
                                        product.inner, 1};
    const MatrixView<std::int32_t> right{b.data() + from_b * product.inner * product.columns,
                                         product.columns, 1};
    TRY(multiply_matrices<std::int32_t>(product, left, right, sums.data(), product.columns,
                                        context));
    store_sums(context, sums.elements(), to * size, product);
    return done();
  });
}

template <const Places& at>
Result<std::vector<TensorType>> infer_conv(const InferContext& context) {
  const TensorType* x = TRY(typed_input<ByteTypes>(context, at.a));
  const TensorType* w = TRY(typed_input<ByteTypes>(context, at.b));
  const ConvForm form = TRY(conv_form(context.node, x->shape, w->shape, false));
  const auto channels = static_cast<std::int64_t>(form.groups * form.out_channels);
  const DType dtype = TRY(check_quantized(context, at, 1, channels));
  if (at.bias != kNone) TRY(check_input(context, at.bias, {DType::kI32, Shape{channels}}));
  return std::vector<TensorType>{{dtype, form.output}};
}

template <const Places& at>
Status run_conv(RunContext& context) {
  const ConstTensor& x = context.inputs[at.a];
  const ConstTensor& w = context.inputs[at.b];
  const ConstTensor* w_zero = zero_point(context, at.b_zero);
  const ConstTensor* bias = at.bias == kNone ? nullptr : optional_input(context, at.bias);
  const ConvForm form = TRY(conv_form(context.node, x.type.shape, w.type.shape, false));
  const std::int32_t x_zero = zero_at(zero_point(context, at.a_zero), 0);
  const Tensor& output = context.outputs[0];
  const auto finish = [&](std::size_t channel, std::size_t first,
                          std::span<const std::int32_t> sums) {
    if constexpr (at.out_scale == kNone) {
      std::ranges::copy(
          sums, output.elements<std::int32_t>().begin() + static_cast<std::ptrdiff_t>(first));
    } else {
      const std::int32_t shift = bias == nullptr ? 0 : bias->elements<std::int32_t>()[channel];
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const std::int32_t sum = add(sums[i], shift);
        if (output.type.dtype == DType::kU8) {
          output.elements<std::uint8_t>()[first + i] =
              requantize<std::uint8_t>(context, sum, 0, channel);
        } else {
          output.elements<std::int8_t>()[first + i] =
              requantize<std::int8_t>(context, sum, 0, channel);
        }
      }
    }
  };
  return dispatch(ByteTypes{}, x.type.dtype, [&]<typename X>() {
    return dispatch(ByteTypes{}, w.type.dtype, [&]<typename W>() -> Status {
      const X* image = x.elements<X>().data();
      const W* weights = w.elements<W>().data();
      return convolve<std::int32_t>(
          context, form, [&](std::size_t i) { return image[i] - x_zero; },
          [&](std::size_t i, std::size_t channel) { return weights[i] - zero_at(w_zero, channel); },
          finish);
    });
  });
}

constexpr char kConvAttributes[] = "auto_pad dilations group kernel_shape pads strides";
constexpr Operator kOperators[] = {
    {"ConvInteger", 10, kLastOpset, 2, 4, 1, infer_conv<kInteger>, run_conv<kInteger>,
     kConvAttributes},
    {"MatMulInteger", 10, kLastOpset, 2, 4, 1, infer_matmul<kInteger>, run_matmul<kInteger>},
    {"QLinearConv", 10, kLastOpset, 8, 9, 1, infer_conv<kLinear>, run_conv<kLinear>,
     kConvAttributes},
    {"QLinearMatMul", 10, kLastOpset, 8, 8, 1, infer_matmul<kLinear>, run_matmul<kLinear>},
};

}  // namespace

std::span<const Operator> integer_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
