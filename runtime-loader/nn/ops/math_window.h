// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_check.h"

// Where convolution and pooling look: padding, steps and sizes along the spatial dimensions.
namespace sealpack::nn {

inline constexpr std::size_t kMaxSpatial = kMaxRank - 2;
// Bound on kernels, strides, dilations, each padding: with it, nothing below overflows.
inline constexpr std::int64_t kMaxWindow = std::int64_t{1} << 20;

// Element t of the window of output o along an axis is input o * stride - pad_begin + t * dilation,
// or padding where that is outside. For a transposed window, inputs and outputs change places.
struct Window {
  using Numbers = std::array<std::int64_t, kMaxSpatial>;
  std::size_t rank = 0;  // spatial
  Numbers input{};
  Numbers kernel{};    // 1 … kMaxWindow
  Numbers stride{};    // 1 … kMaxWindow
  Numbers dilation{};  // 1 … kMaxWindow
  Numbers pad_begin{};
  Numbers pad_end{};
  Numbers output{};

  // Elements from the first to the last of a window.
  std::int64_t extent(std::size_t axis) const { return (kernel[axis] - 1) * dilation[axis] + 1; }
};

// From auto_pad, dilations, kernel_shape, pads and strides of a Conv. `input` and `kernel` are the
// spatial dimensions of image and weights. kMalformed, kLimit.
Result<Window> conv_window(const Node& node, std::span<const std::int64_t> input,
                           std::span<const std::int64_t> kernel);
// The same with output_padding and output_shape, of a ConvTranspose.
Result<Window> transposed_window(const Node& node, std::span<const std::int64_t> input,
                                 std::span<const std::int64_t> kernel);
// From kernel_shape and, where the operator has them, ceil_mode and dilations. Padding is narrower
// than the window. With ceil_mode, windows that would start beyond the input and the padding before
// it are left out, as in PyTorch.
Result<Window> pool_window(const Node& node, std::span<const std::int64_t> input);

// Undoes a pooling with kernel_shape, pads and strides: the output is what that was made from.
Result<Window> unpool_window(const Node& node, std::span<const std::int64_t> input);

// [batch, channels, spatial…] of at least one spatial dimension; kMalformed.
Status check_image(const Shape& shape);
// The spatial part of the shape of an image or of weights.
std::span<const std::int64_t> spatial(const Shape& shape);
// [batch, channels, window.output…]; kLimit.
Result<Shape> image_shape(std::int64_t batch, std::int64_t channels, const Window& window);
std::size_t count(const Window& window, const Window::Numbers& numbers);  // their product

}  // namespace sealpack::nn
