// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_check.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

constexpr std::int64_t kPerAxis = 13;  // first opset with a scale for each index of an axis

// Element i of the tensor has the scale and zero point number i / stride % count.
struct QuantizeForm {
  std::size_t count = 1;
  std::size_t stride = 1;
};

Result<QuantizeForm> quantize_form(const Node& node, std::int64_t opset, const Shape& x,
                                   const Shape& scale) {
  const std::int64_t stated = opset < kPerAxis ? 1 : TRY(int_attribute(node, "axis", 1));
  if (scale.rank() == 0) return QuantizeForm{};
  if (scale.rank() == 1 && scale[0] == 1) return QuantizeForm{};
  if (opset < kPerAxis || scale.rank() != 1) {
    return malformed("a scale of shape " + to_string(scale));
  }
  const std::size_t axis = TRY(to_axis(stated, x.rank()));
  if (x[axis] != scale[0]) {
    return malformed(to_string(scale) + " scales along axis " + std::to_string(axis) + " of " +
                     to_string(x));
  }
  QuantizeForm form{to_size(x[axis]), 1};
  for (std::size_t i = axis + 1; i < x.rank(); ++i) form.stride *= to_size(x[i]);
  return form;
}

// Scale (float) and zero point (of type `dtype`) fit input 0 and each other.
Status check_parameters(const InferContext& context, DType dtype) {
  const TensorType* scale = TRY(typed_input<TypeSet<float>>(context, 1));
  const Shape& x = context.inputs[0]->shape;
  TRY(quantize_form(context.node, context.opset, x, scale->shape));
  const TensorType* zero_point = optional_input(context, 2);
  if (zero_point == nullptr) return done();
  const bool both_single =
      scale->shape.element_count() == 1 && zero_point->shape.element_count() == 1;
  if (zero_point->dtype != dtype || (!both_single && zero_point->shape != scale->shape)) {
    return malformed("zero point " + std::string(to_string(zero_point->dtype)) +
                     to_string(zero_point->shape) + " with scale " + to_string(scale->shape));
  }
  return done();
}

Result<std::vector<TensorType>> infer_quantize(const InferContext& context) {
  const TensorType* x = TRY(typed_input<TypeSet<float, std::int32_t>>(context, 0));
  const TensorType* zero_point = optional_input(context, 2);
  if (zero_point != nullptr) TRY(typed_input<ByteTypes>(context, 2));
  const DType dtype = zero_point == nullptr ? DType::kU8 : zero_point->dtype;
  TRY(check_parameters(context, dtype));
  return std::vector<TensorType>{{dtype, x->shape}};
}

// saturate(round(x / scale) + zero point), ties to even.
Status run_quantize(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const ConstTensor& scale = context.inputs[1];
  const ConstTensor* zero_point = optional_input(context, 2);
  const Tensor& output = context.outputs[0];
  const QuantizeForm form =
      TRY(quantize_form(context.node, context.opset, x.type.shape, scale.type.shape));
  return dispatch(TypeSet<float, std::int32_t>{}, x.type.dtype, [&]<typename T>() {
    return dispatch(ByteTypes{}, output.type.dtype, [&]<typename Q>() -> Status {
      const std::span<const T> in = x.elements<T>();
      const std::span<Q> out = output.elements<Q>();
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t number = i / form.stride % form.count;
        const float value = static_cast<float>(in[i]) / scale.elements<float>()[number];
        const Q zero = zero_point == nullptr ? Q{0} : zero_point->elements<Q>()[number];
        out[i] = saturate<Q>(static_cast<double>(std::nearbyint(value)) + zero);
      }
      return done();
    });
  });
}

using QuantizedTypes = TypeSet<std::int8_t, std::uint8_t, std::int32_t>;

Result<std::vector<TensorType>> infer_dequantize(const InferContext& context) {
  const TensorType* x = TRY(typed_input<QuantizedTypes>(context, 0));
  TRY(check_parameters(context, x->dtype));
  return std::vector<TensorType>{{DType::kF32, x->shape}};
}

Status run_dequantize(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const ConstTensor& scale = context.inputs[1];
  const ConstTensor* zero_point = optional_input(context, 2);
  const QuantizeForm form =
      TRY(quantize_form(context.node, context.opset, x.type.shape, scale.type.shape));
  return dispatch(QuantizedTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = x.elements<T>();
    const std::span<float> out = context.outputs[0].elements<float>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t number = i / form.stride % form.count;
      const T zero = zero_point == nullptr ? T{0} : zero_point->elements<T>()[number];
      const std::int64_t difference = std::int64_t{in[i]} - std::int64_t{zero};
      out[i] = static_cast<float>(difference) * scale.elements<float>()[number];
    }
    return done();
  });
}

Result<std::vector<TensorType>> infer_dynamic(const InferContext& context) {
  const TensorType* x = TRY(typed_input<TypeSet<float>>(context, 0));
  return std::vector<TensorType>{
      {DType::kU8, x->shape}, {DType::kF32, Shape{}}, {DType::kU8, Shape{}}};
}

// The range of x, widened to hold 0, over 255 steps. All zeros: scale 1.
Status run_dynamic(RunContext& context) {
  const std::span<const float> in = context.inputs[0].elements<float>();
  float least = 0;
  float greatest = 0;
  for (const float x : in) {
    least = x < least ? x : least;
    greatest = x > greatest ? x : greatest;
  }
  const float scale = greatest == least ? 1.0F : (greatest - least) / 255.0F;
  const auto zero = saturate<std::uint8_t>(std::nearbyint(-least / scale));
  if (const Tensor* to = optional_output(context, 1)) to->elements<float>()[0] = scale;
  if (const Tensor* to = optional_output(context, 2)) to->elements<std::uint8_t>()[0] = zero;
  const Tensor* output = optional_output(context, 0);
  if (output == nullptr) return done();
  const std::span<std::uint8_t> out = output->elements<std::uint8_t>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double steps = static_cast<double>(std::nearbyint(in[i] / scale));
    out[i] = saturate<std::uint8_t>(steps + zero);
  }
  return done();
}

constexpr Operator kOperators[] = {
    {"DequantizeLinear", 10, 12, 2, 3, 1, infer_dequantize, run_dequantize},
    {"DequantizeLinear", 13, kLastOpset, 2, 3, 1, infer_dequantize, run_dequantize, "axis"},
    {"DynamicQuantizeLinear", 11, kLastOpset, 1, 1, 3, infer_dynamic, run_dynamic},
    {"QuantizeLinear", 10, 12, 2, 3, 1, infer_quantize, run_quantize},
    {"QuantizeLinear", 13, kLastOpset, 2, 3, 1, infer_quantize, run_quantize, "axis"},
};

}  // namespace

std::span<const Operator> quantize_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
