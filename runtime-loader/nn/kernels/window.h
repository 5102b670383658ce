// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/functions.h"

// Kernels that slide a window over each channel by itself: depthwise convolution and pooling. The
// vectors run along the channels; taps outside the image are left out.
namespace sealpack::nn::kernels {

// Taps [first, last) of a window that fall inside the image, and the input index of tap 0, which
// may be negative.
struct Taps {
  std::size_t first, last;
  std::ptrdiff_t origin;
};
SEALPACK_INLINE Taps taps_inside(std::size_t out, std::size_t stride, std::size_t pad,
                                 std::size_t kernel, std::size_t dilation, std::size_t size) {
  const auto origin = static_cast<std::ptrdiff_t>(out * stride) - static_cast<std::ptrdiff_t>(pad);
  Taps taps{0, kernel, origin};
  while (taps.first < kernel && origin + static_cast<std::ptrdiff_t>(taps.first * dilation) < 0) {
    ++taps.first;
  }
  while (taps.last > taps.first &&
         origin + static_cast<std::ptrdiff_t>((taps.last - 1) * dilation) >=
             static_cast<std::ptrdiff_t>(size)) {
    --taps.last;
  }
  return taps;
}

// Sums of kPixels neighbours whose taps are all those of the first, moved; one vector of channels.
// `image` and `weights` point at the first tap that exists.
template <class V, std::size_t kPixels>
SEALPACK_INLINE void depthwise_sums(const ConvShape& shape, std::size_t rows, std::size_t columns,
                                    std::size_t tap_stride, const float* image,
                                    const float* weights, std::size_t n,
                                    typename V::F (&sums)[kPixels]) {
  SEALPACK_UNROLL
  for (std::size_t p = 0; p < kPixels; ++p) sums[p] = V::zero();
  const std::size_t step = shape.stride_x * shape.in_stride;
  const std::size_t in_row = shape.dilation_y * shape.in_width * shape.in_stride;
  const std::size_t in_column = shape.dilation_x * shape.in_stride;
  for (std::size_t i = 0; i < rows; ++i) {
    const float* at = image + i * in_row;
    const float* tap = weights + i * shape.kernel_width * tap_stride;
    for (std::size_t j = columns; j != 0; --j) {
      const typename V::F weight = load_up_to<V>(tap, n);
      SEALPACK_UNROLL
      for (std::size_t p = 0; p < kPixels; ++p) {
        sums[p] = V::fma(load_up_to<V>(at + p * step, n), weight, sums[p]);
      }
      at += in_column;
      tap += tap_stride;
    }
  }
}

// Channels that are done before the next ones, and floats from tap to tap of the weights.
struct ChannelBlock {
  std::size_t count;
  std::size_t tap_stride;
};

// kPixels outputs, a block of channels. The pointers of `finish` are those of the first output.
template <class V, std::size_t kPixels>
void depthwise_pixels(const ConvShape& shape, const Taps& y, const Taps& x,
                      const ChannelBlock& channels, const float* image, const float* weights,
                      float* out, const Epilogue& finish) {
  using F = typename V::F;
  const bool clips = finish.activation == Activation::kClip;
  const F low = clips ? V::set(finish.low) : V::zero();
  const std::ptrdiff_t first_y = y.origin + static_cast<std::ptrdiff_t>(y.first * shape.dilation_y);
  const std::ptrdiff_t first_x = x.origin + static_cast<std::ptrdiff_t>(x.first * shape.dilation_x);
  const std::size_t tap_rows = y.last - y.first, tap_columns = x.last - x.first;
  if (tap_rows != 0 && tap_columns != 0) {
    image += (first_y * static_cast<std::ptrdiff_t>(shape.in_width) + first_x) *
             static_cast<std::ptrdiff_t>(shape.in_stride);
    weights += (y.first * shape.kernel_width + x.first) * channels.tap_stride;
  }
  const auto work = [&](std::size_t channel, std::size_t n) __attribute__((always_inline)) {
    F sums[kPixels];
    depthwise_sums<V>(shape, tap_columns != 0 ? tap_rows : 0, tap_columns, channels.tap_stride,
                      image + channel, weights + channel, n, sums);
    const F bias = finish.bias != nullptr ? load_up_to<V>(finish.bias + channel, n) : V::zero();
    SEALPACK_UNROLL
    for (std::size_t p = 0; p < kPixels; ++p) {
      const std::size_t at = p * shape.out_stride + channel;
      F value = sums[p];
      if (finish.bias != nullptr) value = V::add(value, bias);
      if (finish.residual != nullptr) value = V::add(value, load_up_to<V>(finish.residual + at, n));
      if (clips || finish.activation == Activation::kRelu) value = V::max(low, value);
      if (clips) value = V::min(V::set(finish.high), value);
      store_up_to<V>(out + at, value, n);
    }
  };
  std::size_t channel = 0;
  for (; channel + V::kLanes <= channels.count; channel += V::kLanes) work(channel, V::kLanes);
  if (channel < channels.count) work(channel, channels.count - channel);
  if (finish.activation == Activation::kNone || finish.activation == Activation::kRelu || clips)
    return;
  for (std::size_t p = 0; p < kPixels; ++p, out += shape.out_stride) {
    activate<V>(finish.activation, finish.low, finish.high, out, out, channels.count);
  }
}

SEALPACK_INLINE Taps row_taps(const ConvShape& shape, std::size_t out_y) {
  return taps_inside(out_y, shape.stride_y, shape.pad_top, shape.kernel_height, shape.dilation_y,
                     shape.in_height);
}
SEALPACK_INLINE Taps column_taps(const ConvShape& shape, std::size_t out_x) {
  return taps_inside(out_x, shape.stride_x, shape.pad_left, shape.kernel_width, shape.dilation_x,
                     shape.in_width);
}

// Output columns [first, last) whose windows lie inside the image.
struct Interior {
  std::size_t first, last;
};
SEALPACK_INLINE Interior interior_columns(const ConvShape& shape) {
  const std::size_t reach = (shape.kernel_width - 1) * shape.dilation_x + 1;
  const std::size_t size = shape.in_width + shape.pad_left;
  const std::size_t fit = size < reach ? 0 : (size - reach) / shape.stride_x + 1;
  const std::size_t last = smaller(shape.out_width, fit);
  return {smaller(last, divide_up(shape.pad_left, shape.stride_x)), last};
}

// One row of outputs.
template <class V>
struct DepthwiseRow {
  const ConvShape& shape;
  const Taps& y;
  const ChannelBlock& channels;
  const float* image;
  const float* weights;
  float* out;
  const Epilogue& finish;

  template <std::size_t kPixels>
  SEALPACK_INLINE void run(std::size_t x, const Taps& taps) const {
    const Epilogue moved = at_offset(finish, x * shape.out_stride, 0);
    depthwise_pixels<V, kPixels>(shape, y, taps, channels, image, weights,
                                 out + x * shape.out_stride, moved);
  }

  void run_all() const {
    const Interior inside = interior_columns(shape);
    std::size_t x = 0;
    for (; x < inside.first; ++x) run<1>(x, column_taps(shape, x));
    // Neighbours are summed together, so that a weight is loaded once for all of them and enough
    // chains of sums are in flight.
    for (std::size_t pixels = 8; x < inside.last; x += pixels) {
      while (x + pixels > inside.last) pixels /= 2;
      const Taps taps{0, shape.kernel_width,
                      static_cast<std::ptrdiff_t>(x * shape.stride_x) -
                          static_cast<std::ptrdiff_t>(shape.pad_left)};
      if (pixels == 8) run<8>(x, taps);
      if (pixels == 4) run<4>(x, taps);
      if (pixels == 2) run<2>(x, taps);
      if (pixels == 1) run<1>(x, taps);
    }
    for (; x < shape.out_width; ++x) run<1>(x, column_taps(shape, x));
  }
};

// Bytes of input rows under the window: what stays in the first-level cache until the window has
// moved down.
inline constexpr std::size_t kWindowBytes = 24 * 1024;

template <class V>
void depthwise(const ConvShape& shape, std::size_t channels, const RowRange& rows, const float* in,
               const float* weights, float* out, const Epilogue& finish) {
  const std::size_t row_size = shape.out_width * shape.out_stride;
  const std::size_t per_channel = shape.in_width * shape.kernel_height * sizeof(float);
  const std::size_t vectors = larger(1, kWindowBytes / per_channel / V::kLanes);
  const std::size_t step = vectors * V::kLanes;
  for (std::size_t channel = 0; channel < channels; channel += step) {
    const ChannelBlock block{smaller(step, channels - channel), channels};
    for (std::size_t y = rows.first; y < rows.last; ++y) {
      Taps taps = row_taps(shape, y);
      taps.origin -= static_cast<std::ptrdiff_t>(rows.in_first_row);
      const std::size_t offset = (y - rows.first) * row_size;
      const Epilogue moved = at_offset(finish, offset, channel);
      DepthwiseRow<V>{shape, taps, block, in + channel, weights + channel, out + offset + channel,
                      moved}
          .run_all();
    }
  }
}

// Calls reduce(channel, n, y, x, out) for every output pixel and vector of channels.
template <class V, class Reduce>
SEALPACK_INLINE void for_each_window(const ConvShape& shape, const RowRange& rows, float* out,
                                     Reduce reduce) {
  for (std::size_t out_y = rows.first; out_y < rows.last; ++out_y) {
    Taps y = row_taps(shape, out_y);
    y.origin -= static_cast<std::ptrdiff_t>(rows.in_first_row);
    for (std::size_t out_x = 0; out_x < shape.out_width; ++out_x, out += shape.out_stride) {
      const Taps x = column_taps(shape, out_x);
      for_each_vector<V>(shape.in_channels, [&](std::size_t channel, std::size_t n) {
        store_up_to<V>(out + channel, reduce(y, x, channel, n), n);
      });
    }
  }
}

// Folds what a window holds into `start`, rows first.
template <class V, class Fold>
SEALPACK_INLINE typename V::F fold_window(const ConvShape& shape, const float* in, const Taps& y,
                                          const Taps& x, std::size_t n, typename V::F start,
                                          Fold fold) {
  for (std::size_t i = y.first; i < y.last; ++i) {
    const std::ptrdiff_t in_y = y.origin + static_cast<std::ptrdiff_t>(i * shape.dilation_y);
    const float* row = in + in_y * static_cast<std::ptrdiff_t>(shape.in_width * shape.in_stride);
    for (std::size_t j = x.first; j < x.last; ++j) {
      const std::ptrdiff_t in_x = x.origin + static_cast<std::ptrdiff_t>(j * shape.dilation_x);
      start =
          fold(start, load_up_to<V>(row + in_x * static_cast<std::ptrdiff_t>(shape.in_stride), n));
    }
  }
  return start;
}

template <class V>
void max_pool(const ConvShape& shape, const RowRange& rows, const float* in, float* out) {
  using F = typename V::F;
  for_each_window<V>(
      shape, rows, out, [&](const Taps& y, const Taps& x, std::size_t channel, std::size_t n) {
        return fold_window<V>(shape, in + channel, y, x, n, V::set(-__builtin_inff()),
                              [](F most, F value) { return V::max(most, value); });
      });
}

template <class V>
void average_pool(const ConvShape& shape, const RowRange& rows, const float* in, float* out,
                  bool count_padding) {
  using F = typename V::F;
  for_each_window<V>(
      shape, rows, out, [&](const Taps& y, const Taps& x, std::size_t channel, std::size_t n) {
        const std::size_t taps = count_padding ? shape.kernel_height * shape.kernel_width
                                               : (y.last - y.first) * (x.last - x.first);
        const F sum = fold_window<V>(shape, in + channel, y, x, n, V::zero(),
                                     [](F total, F value) { return V::add(total, value); });
        return taps == 0 ? V::zero() : V::div(sum, V::set(static_cast<float>(taps)));
      });
}

}  // namespace sealpack::nn::kernels
