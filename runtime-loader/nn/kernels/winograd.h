// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/multiply.h"
#include "runtime-loader/nn/kernels/pack.h"

// Winograd F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity (Lavin & Gray, arXiv
// 1509.09308, section 4.3): 36 products of the transformed tiles with the transformed weights.
namespace sealpack::nn::kernels {

inline constexpr std::size_t kPoints = 36;
// Floats of transformed input laid out at a time: half of a second-level cache of 1 MiB.
inline constexpr std::size_t kWinogradFloats = 128 * 1024;
inline constexpr std::size_t kMostTiles = 56;

// The points, other than 0 and infinity: kNear, -kNear, kFar, -kFar. The usual 1 and 2 make errors
// four times as large as these do (measured over 128 channels; Barabasz et al., "Error analysis and
// improving the accuracy of Winograd convolution", arXiv 1803.10986, explain it). Every constant
// below that multiplies inputs is exact.
inline constexpr float kNear = 0.75F, kFar = 1.5F;
inline constexpr float kNear2 = kNear * kNear, kFar2 = kFar * kFar;

template <class V>
SEALPACK_INLINE void transform_input(const typename V::F (&d)[6], typename V::F (&t)[6]) {
  using F = typename V::F;
  const F both = V::set(kNear2 * kFar2), sum = V::set(-kNear2 - kFar2);
  t[0] = V::fma(both, d[0], V::fma(sum, d[2], d[4]));
  const F even1 = V::fma(V::set(-kFar2), d[2], d[4]), odd1 = V::fma(V::set(-kFar2), d[1], d[3]);
  t[1] = V::fma(V::set(kNear), odd1, even1);
  t[2] = V::fma(V::set(-kNear), odd1, even1);
  const F even2 = V::fma(V::set(-kNear2), d[2], d[4]), odd2 = V::fma(V::set(-kNear2), d[1], d[3]);
  t[3] = V::fma(V::set(kFar), odd2, even2);
  t[4] = V::fma(V::set(-kFar), odd2, even2);
  t[5] = V::fma(both, d[1], V::fma(sum, d[3], d[5]));
}

template <class V>
SEALPACK_INLINE void transform_weights(const typename V::F (&g)[3], typename V::F (&t)[6]) {
  using F = typename V::F;
  constexpr float kScale1 = 1 / (2 * kNear2 * (kNear2 - kFar2));
  constexpr float kScale2 = 1 / (2 * kFar2 * (kFar2 - kNear2));
  t[0] = V::mul(V::set(1 / (kNear2 * kFar2)), g[0]);
  const F even1 = V::mul(V::set(kScale1), V::fma(V::set(kNear2), g[2], g[0]));
  const F odd1 = V::mul(V::set(kScale1 * kNear), g[1]);
  t[1] = V::add(even1, odd1);
  t[2] = V::sub(even1, odd1);
  const F even2 = V::mul(V::set(kScale2), V::fma(V::set(kFar2), g[2], g[0]));
  const F odd2 = V::mul(V::set(kScale2 * kFar), g[1]);
  t[3] = V::add(even2, odd2);
  t[4] = V::sub(even2, odd2);
  t[5] = g[2];
}

template <class V>
SEALPACK_INLINE void transform_output(const typename V::F (&m)[6], typename V::F (&o)[4]) {
  using F = typename V::F;
  const F plus1 = V::add(m[1], m[2]), minus1 = V::sub(m[1], m[2]);
  const F plus2 = V::add(m[3], m[4]), minus2 = V::sub(m[3], m[4]);
  o[0] = V::add(V::add(m[0], plus1), plus2);
  o[1] = V::fma(V::set(kFar), minus2, V::mul(V::set(kNear), minus1));
  o[2] = V::fma(V::set(kFar2), plus2, V::mul(V::set(kNear2), plus1));
  o[3] = V::fma(V::set(kFar * kFar2), minus2, V::fma(V::set(kNear * kNear2), minus1, m[5]));
}

// Transformed weights: [panel][point][channel][column of the panel].
template <class V>
std::size_t winograd_size(std::size_t in_channels, std::size_t columns) {
  return round_up(columns, kPanel<V>) * kPoints * in_channels;
}

// The nine weights of one channel for kLanes columns.
template <class V>
SEALPACK_INLINE void transform_kernel(const float* weights, std::size_t point_stride, float* out) {
  using F = typename V::F;
  F half[3][6];
  for (std::size_t x = 0; x < 3; ++x) {
    const F column[3] = {V::load(weights + x * V::kLanes), V::load(weights + (3 + x) * V::kLanes),
                         V::load(weights + (6 + x) * V::kLanes)};
    transform_weights<V>(column, half[x]);
  }
  for (std::size_t y = 0; y < 6; ++y) {
    const F row[3] = {half[0][y], half[1][y], half[2][y]};
    F done[6];
    transform_weights<V>(row, done);
    for (std::size_t x = 0; x < 6; ++x) V::store(out + (y * 6 + x) * point_stride, done[x]);
  }
}

template <class V, WeightType kType>
void winograd_pack_of(const std::uint8_t* stored, const WeightFormat& format, std::size_t columns,
                      std::size_t in_channels, float* transformed) {
  const std::size_t inner = in_channels * 9;
  // kLanes channels: 9 vectors of inner indexes for kLanes columns each.
  float weights[9 * V::kLanes * V::kLanes];
  for (std::size_t column = 0; column < round_up(columns, kPanel<V>); column += V::kLanes) {
    float* panel =
        transformed + column / kPanel<V> * kPoints * in_channels * kPanel<V> + column % kPanel<V>;
    for (std::size_t channel = 0; channel < in_channels; channel += V::kLanes) {
      const std::size_t channels = smaller(V::kLanes, in_channels - channel);
      for (std::size_t at = 0; at < channels * 9; at += V::kLanes) {
        typename V::F block[V::kLanes];
        load_block<V, kType>(stored, format, inner, columns, inner, column, channel * 9 + at,
                             block);
        for (std::size_t i = 0; i < V::kLanes; ++i)
          V::store(weights + (at + i) * V::kLanes, block[i]);
      }
      for (std::size_t c = 0; c < channels; ++c) {
        transform_kernel<V>(weights + c * 9 * V::kLanes, in_channels * kPanel<V>,
                            panel + (channel + c) * kPanel<V>);
      }
    }
  }
}

template <class V>
void winograd_pack(const void* stored, const WeightFormat& format, std::size_t columns,
                   std::size_t in_channels, float* transformed) {
  const auto* bytes = static_cast<const std::uint8_t*>(stored);
  switch (format.type) {
    case WeightType::kF32:
      return winograd_pack_of<V, WeightType::kF32>(bytes, format, columns, in_channels,
                                                   transformed);
    case WeightType::kF16:
      return winograd_pack_of<V, WeightType::kF16>(bytes, format, columns, in_channels,
                                                   transformed);
    case WeightType::kI8:
      return winograd_pack_of<V, WeightType::kI8>(bytes, format, columns, in_channels, transformed);
    case WeightType::kU8:
      return winograd_pack_of<V, WeightType::kU8>(bytes, format, columns, in_channels, transformed);
  }
}

// Tiles laid out together; floats from tile to tile and from point to point.
struct WinogradLayout {
  std::size_t tiles;
  std::size_t tile_stride;
  std::size_t point_stride;
};
SEALPACK_INLINE WinogradLayout winograd_layout(const ConvShape& shape) {
  const std::size_t all = divide_up(shape.out_height, 4) * divide_up(shape.out_width, 4);
  const std::size_t stride = shape.in_channels + 16;
  const std::size_t fit = larger(8, smaller(kMostTiles, kWinogradFloats / (kPoints * stride)));
  const std::size_t tiles = larger(1, divide_up(all, larger(1, divide_up(all, fit))));
  return {tiles, stride, tiles * stride};
}

template <class V>
std::size_t winograd_scratch(const ConvShape& shape) {
  const WinogradLayout layout = winograd_layout(shape);
  return (layout.point_stride + layout.tiles * kPanel<V>)*kPoints * sizeof(float);
}

// Which rows and columns of the 6x6 inputs of a tile exist, and where they are.
struct WinogradTile {
  std::size_t out_y, out_x;
  const float* rows[6];     // input pixel (row, tile's first column); nullptr outside the image
  std::size_t first, last;  // columns of the tile inside the image
  std::size_t shift;        // columns left of the image
};

SEALPACK_INLINE WinogradTile find_tile(const ConvShape& shape, const RowRange& rows,
                                       const float* in, std::size_t tile) {
  const std::size_t across = divide_up(shape.out_width, 4);
  WinogradTile found{};
  found.out_y = rows.first + tile / across * 4;
  found.out_x = tile % across * 4;
  // Rows beyond those that the wanted outputs need may not be there.
  const std::size_t below = smaller(shape.in_height + shape.pad_top, rows.last + 2);
  found.first = found.out_x < shape.pad_left ? smaller(6, shape.pad_left - found.out_x) : 0;
  const std::size_t right = shape.in_width + shape.pad_left;
  found.last = larger(found.first, found.out_x < right ? smaller(6, right - found.out_x) : 0);
  const std::size_t x =
      found.out_x + found.first - smaller(found.out_x + found.first, shape.pad_left);
  for (std::size_t i = 0; i < 6; ++i) {
    const std::size_t y = found.out_y + i;
    if (y < shape.pad_top || y >= below) continue;
    found.rows[i] =
        in + ((y - shape.pad_top - rows.in_first_row) * shape.in_width + x) * shape.in_stride;
  }
  return found;
}

template <class V>
SEALPACK_INLINE void lay_tile(const ConvShape& shape, const WinogradTile& tile,
                              const WinogradLayout& layout, float* out) {
  using F = typename V::F;
  for (std::size_t channel = 0; channel < shape.in_channels; channel += V::kLanes) {
    const std::size_t n = smaller(V::kLanes, shape.in_channels - channel);
    F half[6][6];
    for (std::size_t y = 0; y < 6; ++y) {
      F row[6];
      for (std::size_t x = 0; x < 6; ++x) {
        const bool exists = tile.rows[y] != nullptr && x >= tile.first && x < tile.last;
        row[x] = exists
                     ? load_up_to<V>(tile.rows[y] + (x - tile.first) * shape.in_stride + channel, n)
                     : V::zero();
      }
      transform_input<V>(row, half[y]);
    }
    for (std::size_t x = 0; x < 6; ++x) {
      const F column[6] = {half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]};
      F done[6];
      transform_input<V>(column, done);
      for (std::size_t y = 0; y < 6; ++y) {
        store_up_to<V>(out + (y * 6 + x) * layout.point_stride + channel, done[y], n);
      }
    }
  }
}

// One vector of columns of one tile: to outputs, as far as they exist.
template <class V>
SEALPACK_INLINE void finish_winograd(const ConvShape& shape, const RowRange& rows,
                                     const WinogradTile& tile, const float* products,
                                     std::size_t point_stride, std::size_t column, std::size_t n,
                                     const Epilogue& finish, float* out) {
  using F = typename V::F;
  F half[6][4];
  for (std::size_t y = 0; y < 6; ++y) {
    F row[6];
    for (std::size_t x = 0; x < 6; ++x) row[x] = V::load(products + (y * 6 + x) * point_stride);
    transform_output<V>(row, half[y]);
  }
  const F bias = finish.bias != nullptr ? load_up_to<V>(finish.bias + column, n) : V::zero();
  const F low = finish.activation == Activation::kClip ? V::set(finish.low) : V::zero();
  for (std::size_t x = 0; x < 4; ++x) {
    if (tile.out_x + x >= shape.out_width) break;
    const F part[6] = {half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]};
    F done[4];
    transform_output<V>(part, done);
    for (std::size_t y = 0; y < 4; ++y) {
      if (tile.out_y + y >= rows.last) break;
      const std::size_t at =
          ((tile.out_y + y - rows.first) * shape.out_width + tile.out_x + x) * shape.out_stride +
          column;
      F value = done[y];
      if (finish.bias != nullptr) value = V::add(value, bias);
      if (finish.residual != nullptr) value = V::add(value, load_up_to<V>(finish.residual + at, n));
      if (finish.activation == Activation::kRelu || finish.activation == Activation::kClip) {
        value = V::max(low, value);
        if (finish.activation == Activation::kClip) value = V::min(V::set(finish.high), value);
      }
      store_up_to<V>(out + at, value, n);
      if (!is_cheap(finish.activation)) {
        activate<V>(finish.activation, finish.low, finish.high, out + at, out + at, n);
      }
    }
  }
}

template <class V>
void winograd(const ConvShape& shape, const RowRange& rows, const float* in,
              const float* transformed, std::size_t columns, float* out, const Epilogue& finish,
              void* scratch) {
  const WinogradLayout layout = winograd_layout(shape);
  auto* laid = static_cast<float*>(scratch);
  float* products = laid + kPoints * layout.point_stride;
  const std::size_t all = divide_up(rows.last - rows.first, 4) * divide_up(shape.out_width, 4);
  const std::size_t product_stride = layout.tiles * kPanel<V>;
  for (std::size_t first = 0; first < all; first += layout.tiles) {
    const std::size_t tiles = smaller(layout.tiles, all - first);
    for (std::size_t i = 0; i < tiles; ++i) {
      lay_tile<V>(shape, find_tile(shape, rows, in, first + i), layout,
                  laid + i * layout.tile_stride);
    }
    for (std::size_t column = 0; column < columns; column += kPanel<V>) {
      const float* panel = transformed + column * kPoints * shape.in_channels;
      for (std::size_t point = 0; point < kPoints; ++point) {
        const float* weights = panel + point * shape.in_channels * kPanel<V>;
        multiply_block<V>({tiles, kPanel<V>, shape.in_channels, laid + point * layout.point_stride,
                           layout.tile_stride, weights, 0, products + point * product_stride,
                           kPanel<V>, false, nullptr, weights + shape.in_channels * kPanel<V>});
      }
      const std::size_t width = smaller(kPanel<V>, columns - column);
      for (std::size_t i = 0; i < tiles; ++i) {
        const WinogradTile tile = find_tile(shape, rows, in, first + i);
        for_each_vector<V>(width, [&](std::size_t lane, std::size_t n) {
          finish_winograd<V>(shape, rows, tile, products + i * kPanel<V> + lane, product_stride,
                             column + lane, n, finish, out);
        });
      }
    }
  }
}

}  // namespace sealpack::nn::kernels
