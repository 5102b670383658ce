// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/multiply.h"

// A convolution as products of blocks: the inputs of some output pixels are laid side by side in
// scratch, a run of channels at a time, with zeros for the padding; multiply_block does the rest.
namespace sealpack::nn::kernels {

// Output pixels laid out together, and floats from one to the next: not a power of two, which would
// send all pixels to the same few cache sets.
inline constexpr std::size_t kConvRows = 168;
inline constexpr std::size_t kConvStride = kInnerBlock + 16;
// Packed weights up to this many floats stay in the second-level cache while all pixels pass by.
inline constexpr std::size_t kNearWeights = 96 * 1024;

// Consecutive kernel taps of one row whose channels lie side by side in the input count as one wide
// tap, which makes runs long even for images of three channels.
struct TapRuns {
  std::size_t width;    // floats of a run: in_channels times the taps in it
  std::size_t taps;     // taps in a run
  std::size_t per_row;  // runs in a row of the kernel
};
SEALPACK_INLINE TapRuns tap_runs(const ConvShape& shape) {
  const bool joined = shape.in_stride == shape.in_channels && shape.dilation_x == 1;
  const std::size_t taps = joined ? shape.kernel_width : 1;
  return {shape.in_channels * taps, taps, shape.kernel_width / taps};
}

// A run in scratch may spill over its end by less than a vector: the next run of the pixel is laid
// later, and after the last one kConvStride leaves room.
template <class V>
SEALPACK_INLINE void lay_copy(const float* in, std::size_t count, float* out) {
  std::size_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) V::store(out + i, V::load(in + i));
  if (i < count) V::store(out + i, V::load_part(in + i, count - i));
}
template <class V>
SEALPACK_INLINE void lay_zero(std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; i += V::kLanes) V::store(out + i, V::zero());
}

// Which floats of which run are laid.
struct RunPart {
  std::size_t taps;  // of the whole run
  std::size_t first, count;
};

// One run that lies partly outside the image. x is the input column of its first tap.
template <class V>
void lay_edge(const ConvShape& shape, const float* row, std::ptrdiff_t x, const RunPart& part,
              float* out) {
  // The run as floats, cut to what the image holds. More than one tap only where the channels of
  // the group are all there are.
  const auto channels = static_cast<std::ptrdiff_t>(shape.in_channels);
  const auto begin = static_cast<std::ptrdiff_t>(part.first);
  const auto end = static_cast<std::ptrdiff_t>(part.first + part.count);
  std::ptrdiff_t from = x < 0 ? -x * channels : 0;
  std::ptrdiff_t to = (static_cast<std::ptrdiff_t>(shape.in_width) - x) * channels;
  from = from < begin ? begin : from > end ? end : from;
  to = to < from ? from : to > end ? end : to;
  lay_zero<V>(static_cast<std::size_t>(from - begin), out);
  if (to > from) {
    lay_copy<V>(row + x * static_cast<std::ptrdiff_t>(shape.in_stride) + from,
                static_cast<std::size_t>(to - from), out + (from - begin));
  }
  lay_zero<V>(static_cast<std::size_t>(end - to), out + (to - begin));
}

// The same run for `count` neighbours of one output row.
template <class V>
SEALPACK_INLINE void lay_line(const ConvShape& shape, const float* row, std::ptrdiff_t x,
                              const RunPart& part, std::size_t count, float* out) {
  const auto step = static_cast<std::ptrdiff_t>(shape.stride_x);
  const auto last =
      static_cast<std::ptrdiff_t>(shape.in_width) - static_cast<std::ptrdiff_t>(part.taps);
  std::size_t i = 0;
  const auto lay_edges = [&](auto is_edge) {
    for (; i < count && is_edge(); ++i, x += step, out += kConvStride)
      lay_edge<V>(shape, row, x, part, out);
  };
  lay_edges([&] { return x < 0 || x > last; });
  if (x >= 0 && x <= last) {
    const std::size_t inside = static_cast<std::size_t>(last - x) / shape.stride_x + 1;
    const std::size_t end = smaller(count, i + inside);
    const float* from = row + x * static_cast<std::ptrdiff_t>(shape.in_stride) + part.first;
    const std::size_t from_step = shape.stride_x * shape.in_stride;
    x += step * static_cast<std::ptrdiff_t>(end - i);
    if (part.count <= V::kLanes) {
      for (; i < end; ++i, from += from_step, out += kConvStride)
        V::store(out, load_up_to<V>(from, part.count));
    } else {
      for (; i < end; ++i, from += from_step, out += kConvStride)
        lay_copy<V>(from, part.count, out);
    }
  }
  lay_edges([] { return true; });
}

// Output pixels [pixel, pixel + count) of a tile and inner indexes [first, last).
template <class V>
void lay_pixels(const ConvShape& shape, const RowRange& rows, const float* in, std::size_t pixel,
                std::size_t count, std::size_t first, std::size_t last, float* out) {
  const TapRuns runs = tap_runs(shape);
  for (std::size_t at = first; at < last;) {
    const std::size_t run = at / runs.width, inside = at % runs.width;
    const std::size_t size = smaller(runs.width - inside, last - at);
    const std::size_t kernel_y = run / runs.per_row, kernel_x = run % runs.per_row;
    std::size_t out_y = rows.first + pixel / shape.out_width, out_x = pixel % shape.out_width;
    float* to = out + (at - first);
    for (std::size_t i = 0; i < count;) {
      const std::size_t y = out_y * shape.stride_y + kernel_y * shape.dilation_y;
      const std::size_t line = smaller(count - i, shape.out_width - out_x);
      const bool exists = y >= shape.pad_top && y - shape.pad_top < shape.in_height;
      const float* row =
          exists ? in + (y - shape.pad_top - rows.in_first_row) * shape.in_width * shape.in_stride
                 : nullptr;
      const auto x =
          static_cast<std::ptrdiff_t>(out_x * shape.stride_x + kernel_x * shape.dilation_x) -
          static_cast<std::ptrdiff_t>(shape.pad_left);
      if (exists) {
        lay_line<V>(shape, row, x, {runs.taps, inside, size}, line, to);
      } else {
        for (std::size_t j = 0; j < line; ++j) lay_zero<V>(size, to + j * kConvStride);
      }
      to += line * kConvStride;
      i += line;
      out_x = 0;
      ++out_y;
    }
    at += size;
  }
}

// A tap of one by one, moved by one: the input is the matrix.
SEALPACK_INLINE bool is_plain_product(const ConvShape& shape) {
  return shape.kernel_height == 1 && shape.kernel_width == 1 && shape.stride_y == 1 &&
         shape.stride_x == 1 && shape.pad_top == 0 && shape.pad_left == 0 &&
         shape.out_width == shape.in_width && shape.out_height <= shape.in_height;
}

template <class V>
std::size_t conv_scratch(const ConvShape& shape) {
  if (is_plain_product(shape)) return 0;
  const std::size_t pixels = smaller(kConvRows, shape.out_height * shape.out_width);
  return pixels * kConvStride * sizeof(float);
}

template <class V>
void conv(const ConvShape& shape, const RowRange& rows, const float* in, const float* packed,
          std::size_t columns, float* out, const Epilogue& finish, void* scratch) {
  const std::size_t pixels = (rows.last - rows.first) * shape.out_width;
  const std::size_t inner = shape.kernel_height * shape.kernel_width * shape.in_channels;
  if (is_plain_product(shape)) {
    const float* first = in + (rows.first - rows.in_first_row) * shape.in_width * shape.in_stride;
    return gemm<V>({pixels, columns, inner}, first, shape.in_stride, packed, out, shape.out_stride,
                   false, &finish);
  }
  auto* laid = static_cast<float*>(scratch);
  const InnerCut cut = cut_inner(inner, kInnerBlock);
  // Where the weights are far away, one part of them serves many pixels before the next is fetched.
  const std::size_t group = inner * columns <= kNearWeights ? kConvRows : 4 * kConvRows;
  for (std::size_t group_first = 0; group_first < pixels; group_first += group) {
    const std::size_t group_last = smaller(pixels, group_first + group);
    for (std::size_t part = 0; part < cut.count; ++part) {
      const std::size_t first = part * cut.size, last = smaller(inner, first + cut.size);
      for (std::size_t pixel = group_first; pixel < group_last; pixel += kConvRows) {
        const std::size_t count = smaller(kConvRows, group_last - pixel);
        lay_pixels<V>(shape, rows, in, pixel, count, first, last, laid);
        const Epilogue moved = at_offset(finish, pixel * shape.out_stride, 0);
        multiply_block<V>({count, columns, last - first, laid, kConvStride,
                           packed + first * kPanel<V>, inner * kPanel<V>,
                           out + pixel * shape.out_stride, shape.out_stride, part != 0,
                           part + 1 == cut.count ? &moved : nullptr,
                           packed + (last < inner ? last : 0) * kPanel<V>});
      }
    }
  }
}

}  // namespace sealpack::nn::kernels
