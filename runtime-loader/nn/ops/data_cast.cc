// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Elements as another type. Floats become integers by cutting the fraction off, at the ends of the
// type where they lie outside, 0 for NaN; integers are taken modulo 2^bits, as everybody's C++
// does.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

template <typename To, typename Value>
To convert(Value value) {
  if constexpr (std::is_same_v<To, Boolean>) {
    return store<Boolean>(value != Value{});
  } else if constexpr (std::is_same_v<To, Float16>) {
    return {f64_to_f16(static_cast<double>(value))};
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return {f64_to_bf16(static_cast<double>(value))};
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<Value>) {
    return saturate<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

void cast_elements(const ConstTensor& in, const Tensor& out) {
  if (in.type.dtype == out.type.dtype) {
    std::memcpy(out.data, in.data, static_cast<std::size_t>(in.type.size()));
    return;
  }
  dispatch(AllTypes{}, in.type.dtype, [&]<typename From>() {
    const std::span<const From> from = in.elements<From>();
    return dispatch(AllTypes{}, out.type.dtype, [&]<typename To>() {
      const std::span<To> to = out.elements<To>();
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = convert<To>(load(from[i]));
      return 0;
    });
  });
}

Types infer_cast(const InferContext& context) {
  const std::int64_t to = TRY(int_attribute(context.node, "to", 0));
  if (to == 0) return malformed("attribute to is missing");
  const DType dtype = TRY(to_dtype(static_cast<std::uint64_t>(to)));
  return std::vector{TensorType{dtype, context.inputs[0]->shape}};
}

Types infer_cast_like(const InferContext& context) {
  return std::vector{TensorType{context.inputs[1]->dtype, context.inputs[0]->shape}};
}

Status run_cast(RunContext& context) {
  cast_elements(context.inputs[0], context.outputs[0]);
  return done();
}

constexpr Operator kOperators[] = {
    {"Cast", 9, kLastOpset, 1, 1, 1, infer_cast, run_cast, "to"},
    {"CastLike", 15, kLastOpset, 2, 2, 1, infer_cast_like, run_cast},
};

}  // namespace

std::span<const Operator> data_cast_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
