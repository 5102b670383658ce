// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_convolve.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {

Result<ConvForm> conv_form(const Node& node, const Shape& x, const Shape& w, bool transposed) {
  TRY(check_image(x));
  if (w.rank() != x.rank()) {
    return malformed("weights " + to_string(w) + " for an image " + to_string(x));
  }
  const std::int64_t groups = TRY(int_attribute(node, "group", 1));
  // Groups divide the output channels of w[M, C/group], the input channels of w[C, M/group].
  const std::int64_t divided = w[0];
  if (groups < 1 || groups > std::max<std::int64_t>(divided, 1) || divided % groups != 0 ||
      x[1] % groups != 0) {
    return malformed(std::to_string(groups) + " groups for an image " + to_string(x) +
                     " and weights " + to_string(w));
  }
  ConvForm form;
  form.transposed = transposed;
  form.batch = to_size(x[0]);
  form.groups = to_size(groups);
  form.in_channels = to_size(x[1] / groups);
  if ((transposed ? x[1] : x[1] / groups) != w[transposed ? 0 : 1]) {
    return malformed("weights " + to_string(w) + " for an image " + to_string(x) + " and " +
                     std::to_string(groups) + " groups");
  }
  const std::int64_t out_channels = transposed ? w[1] : w[0] / groups;
  form.out_channels = to_size(out_channels);
  form.window = transposed ? TRY(transposed_window(node, spatial(x), spatial(w)))
                           : TRY(conv_window(node, spatial(x), spatial(w)));
  if (out_channels > kMaxElements / groups) {
    return Error(ErrorCode::kLimit, "an image of too many channels");
  }
  form.output = TRY(image_shape(x[0], out_channels * groups, form.window));
  return form;
}

namespace {

template <bool kTransposed>
Result<std::vector<TensorType>> infer_conv(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  TRY(check_same_type(context, 0, 1));
  const ConvForm form =
      TRY(conv_form(context.node, x->shape, context.inputs[1]->shape, kTransposed));
  const auto channels = static_cast<std::int64_t>(form.groups * form.out_channels);
  TRY(check_input(context, 2, {x->dtype, Shape{channels}}));
  return std::vector<TensorType>{{x->dtype, form.output}};
}

template <bool kTransposed>
Status run_conv(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const ConstTensor& w = context.inputs[1];
  const ConstTensor* bias = optional_input(context, 2);
  const ConvForm form = TRY(conv_form(context.node, x.type.shape, w.type.shape, kTransposed));
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const T* image = x.elements<T>().data();
    const T* weights = w.elements<T>().data();
    const T* shift = bias == nullptr ? nullptr : bias->elements<T>().data();
    T* out = context.outputs[0].elements<T>().data();
    return convolve<C>(
        context, form, [&](std::size_t i) { return load(image[i]); },
        [&](std::size_t i, std::size_t /*channel*/) { return load(weights[i]); },
        [&](std::size_t channel, std::size_t first, std::span<const C> sums) {
          const C add = shift == nullptr ? C{0} : load(shift[channel]);
          for (std::size_t i = 0; i < sums.size(); ++i) out[first + i] = store<T>(sums[i] + add);
        });
  });
}

constexpr char kConvAttributes[] = "auto_pad dilations group kernel_shape pads strides";
constexpr char kTransposeAttributes[] =
    "auto_pad dilations group kernel_shape output_padding output_shape pads strides";
constexpr Operator kOperators[] = {
    {"Conv", 1, kLastOpset, 2, 3, 1, infer_conv<false>, run_conv<false>, kConvAttributes},
    {"ConvTranspose", 1, kLastOpset, 2, 3, 1, infer_conv<true>, run_conv<true>,
     kTransposeAttributes},
};

}  // namespace

std::span<const Operator> conv_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
