// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_tables.h"
#include "runtime-loader/nn/ops/math_window.h"

namespace sealpack::nn {
namespace {

// The image that a MaxPool with the same attributes made this one from.
Result<Shape> unpooled_shape(const Node& node, const Shape& x) {
  TRY(check_image(x));
  const Window window = TRY(unpool_window(node, spatial(x)));
  return image_shape(x[0], x[1], window);
}

Result<std::vector<TensorType>> infer_unpool(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  TRY(check_input(context, 1, {DType::kI64, x->shape}));
  Shape output = TRY(unpooled_shape(context.node, x->shape));
  if (const TensorType* type = optional_input(context, 2)) {
    if (type->dtype != DType::kI64) return wrong_type(context, 2);
    const std::vector<std::int64_t> wanted = TRY(constant_integers(context, 2, "output_shape"));
    const Shape stated = TRY(Shape::make(wanted));
    if (stated.rank() != x->shape.rank() || stated[0] != x->shape[0] || stated[1] != x->shape[1]) {
      return malformed("output_shape " + to_string(stated) + " for " + to_string(x->shape));
    }
    output = stated;
  }
  return std::vector<TensorType>{{x->dtype, output}};
}

// Indices number the elements of the whole output, as MaxPool counts those of its input.
Status run_unpool(RunContext& context) {
  const std::span<const std::int64_t> indices = context.inputs[1].elements<std::int64_t>();
  return dispatch(FloatTypes{}, context.inputs[0].type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = context.inputs[0].elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    std::ranges::fill(out, store<T>(0));
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (indices[i] < 0 || to_size(indices[i]) >= out.size()) {
        return malformed("index " + std::to_string(indices[i]) + " in an output of " +
                         std::to_string(out.size()) + " elements");
      }
      out[to_size(indices[i])] = in[i];
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"MaxUnpool", 9, kLastOpset, 2, 3, 1, infer_unpool, run_unpool, "kernel_shape pads strides"},
};

}  // namespace

std::span<const Operator> unpool_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
