// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/kernels/reference.h"

#include <algorithm>
#include <cmath>

namespace sealpack::nn::kernels::testing {
namespace {

// The input index of a tap, or -1 outside the image.
std::ptrdiff_t input_index(std::size_t out, std::size_t tap, std::size_t stride,
                           std::size_t dilation, std::size_t pad, std::size_t size) {
  const auto at =
      static_cast<std::ptrdiff_t>(out * stride + tap * dilation) - static_cast<std::ptrdiff_t>(pad);
  return at >= 0 && at < static_cast<std::ptrdiff_t>(size) ? at : -1;
}

// Calls visit(pixel, tap) for the taps inside the image.
template <class Visit>
void for_each_tap(const ConvShape& shape, std::size_t out_y, std::size_t out_x, Visit visit) {
  for (std::size_t i = 0; i < shape.kernel_height; ++i) {
    for (std::size_t j = 0; j < shape.kernel_width; ++j) {
      const std::ptrdiff_t y =
          input_index(out_y, i, shape.stride_y, shape.dilation_y, shape.pad_top, shape.in_height);
      const std::ptrdiff_t x =
          input_index(out_x, j, shape.stride_x, shape.dilation_x, shape.pad_left, shape.in_width);
      if (y < 0 || x < 0) continue;
      visit(static_cast<std::size_t>(y) * shape.in_width + static_cast<std::size_t>(x),
            i * shape.kernel_width + j);
    }
  }
}

void add_product(Exact& sum, float a, float b) {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  sum.value += product;
  sum.size += std::abs(product);
}

}  // namespace

Exact exact_conv(const ConvShape& shape, const float* in, const float* weights, std::size_t column,
                 std::size_t out_y, std::size_t out_x) {
  const std::size_t taps = shape.kernel_height * shape.kernel_width;
  Exact sum{0, 0};
  for_each_tap(shape, out_y, out_x, [&](std::size_t pixel, std::size_t tap) {
    for (std::size_t c = 0; c < shape.in_channels; ++c) {
      add_product(sum, in[pixel * shape.in_stride + c],
                  weights[(column * shape.in_channels + c) * taps + tap]);
    }
  });
  return sum;
}

Exact exact_depthwise(const ConvShape& shape, std::size_t channels, const float* in,
                      const float* weights, std::size_t channel, std::size_t out_y,
                      std::size_t out_x) {
  Exact sum{0, 0};
  for_each_tap(shape, out_y, out_x, [&](std::size_t pixel, std::size_t tap) {
    add_product(sum, in[pixel * shape.in_stride + channel], weights[tap * channels + channel]);
  });
  return sum;
}

double exact_activation(Activation activation, double low, double high, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kClip:
      return std::clamp(x, low, high);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kHardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case Activation::kLeakyRelu:
      return x < 0 ? x * low : x;
  }
  return std::nan("");
}

Exact exact_finish(const Epilogue& finish, Exact sum, std::size_t column, std::size_t at) {
  const auto add = [&](float value) {
    sum.value += static_cast<double>(value);
    sum.size += std::abs(static_cast<double>(value));
  };
  if (finish.bias != nullptr) add(finish.bias[column]);
  if (finish.residual != nullptr) add(finish.residual[at]);
  sum.value = exact_activation(finish.activation, static_cast<double>(finish.low),
                               static_cast<double>(finish.high), sum.value);
  return sum;
}

}  // namespace sealpack::nn::kernels::testing
