// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/kernels/vector.h"

// A tile of outputs that is summed in registers.
namespace sealpack::nn::kernels {

// rows x columns of out = in * packed. `columns` may end inside the last panel.
struct Tile {
  std::size_t columns;
  std::size_t inner;
  const float* in;
  std::size_t in_stride;
  const float* packed;
  std::size_t panel_stride;  // floats from a panel to the next
  float* out;
  std::size_t out_stride;
  bool accumulate;
  const Epilogue* finish;  // nullptr: bare sums; its pointers are those of the tile's first output
  // Address of weights wanted soon. A cache line is asked for per inner index, each so many bytes
  // after the last; the address need not exist.
  std::uintptr_t ahead;
  std::uintptr_t ahead_step;
};

// The activations that the tile applies in registers; the others follow in a pass of their own.
SEALPACK_INLINE constexpr bool is_cheap(Activation activation) {
  return activation == Activation::kNone || activation == Activation::kRelu ||
         activation == Activation::kClip;
}

template <class V, std::size_t kRows, std::size_t kVectors>
struct Sums {
  typename V::F at[kRows][kVectors];
};

// Rows of `in` are addressed from one pointer in three, with their stride scaled by 1 and 2: so the
// pointers of a whole tile fit in the general registers.
template <class V, std::size_t kRows, std::size_t kPanels, std::size_t kUsed>
SEALPACK_INLINE void multiply_tile(const Tile& tile, Sums<V, kRows, kPanels * kUsed>& sums) {
  constexpr std::size_t kPointers = (kRows + 2) / 3, kVectors = kPanels * kUsed;
  const float* in[kPointers];
  SEALPACK_UNROLL
  for (std::size_t i = 0; i < kPointers; ++i) in[i] = tile.in + 3 * i * tile.in_stride;
  const std::size_t stride = tile.in_stride, panel_stride = tile.panel_stride;
  const float* packed = tile.packed;
  std::uintptr_t ahead = tile.ahead;
  for (std::size_t k = tile.inner; k != 0; --k) {
    typename V::F weights[kVectors];
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      weights[j] = V::load(packed + (j / kUsed) * panel_stride + (j % kUsed) * V::kLanes);
    }
    SEALPACK_UNROLL
    for (std::size_t i = 0; i < kRows; ++i) {
      const typename V::F value = V::set(in[i / 3][(i % 3) * stride]);
      SEALPACK_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) {
        sums.at[i][j] = V::fma(value, weights[j], sums.at[i][j]);
      }
    }
    SEALPACK_UNROLL
    for (std::size_t i = 0; i < kPointers; ++i) ++in[i];
    packed += kPanel<V>;
    __builtin_prefetch(reinterpret_cast<const void*>(ahead), 0, 2);
    ahead += tile.ahead_step;
  }
}

// Lanes of vector j that exist in a tile of `columns`.
template <class V>
SEALPACK_INLINE std::size_t lanes_of(std::size_t columns, std::size_t j) {
  const std::size_t before = j * V::kLanes;
  return columns <= before ? 0 : smaller(V::kLanes, columns - before);
}

template <class V, bool kWhole>
SEALPACK_INLINE typename V::F load_lanes(const float* p, std::size_t columns, std::size_t j) {
  if constexpr (kWhole) return V::load(p + j * V::kLanes);
  const std::size_t n = lanes_of<V>(columns, j);
  if (n == 0) return V::zero();
  return load_up_to<V>(p + j * V::kLanes, n);
}

template <class V, bool kWhole, std::size_t kRows, std::size_t kVectors>
SEALPACK_INLINE void finish_tile(const Tile& tile, Sums<V, kRows, kVectors>& sums) {
  const Epilogue& finish = *tile.finish;
  if (finish.bias != nullptr) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      const typename V::F bias = load_lanes<V, kWhole>(finish.bias, tile.columns, j);
      SEALPACK_UNROLL
      for (std::size_t i = 0; i < kRows; ++i) sums.at[i][j] = V::add(sums.at[i][j], bias);
    }
  }
  if (finish.residual != nullptr) {
    SEALPACK_UNROLL
    for (std::size_t i = 0; i < kRows; ++i) {
      const float* row = finish.residual + i * tile.out_stride;
      SEALPACK_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) {
        sums.at[i][j] = V::add(sums.at[i][j], load_lanes<V, kWhole>(row, tile.columns, j));
      }
    }
  }
  if (finish.activation != Activation::kRelu && finish.activation != Activation::kClip) return;
  const bool clips = finish.activation == Activation::kClip;
  const typename V::F low = clips ? V::set(finish.low) : V::zero();
  SEALPACK_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) sums.at[i][j] = V::max(low, sums.at[i][j]);
  }
  if (!clips) return;
  const typename V::F high = V::set(finish.high);
  SEALPACK_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) sums.at[i][j] = V::min(high, sums.at[i][j]);
  }
}

template <class V, bool kWhole, std::size_t kRows, std::size_t kPanels, std::size_t kUsed>
SEALPACK_INLINE void run_tile(const Tile& tile) {
  constexpr std::size_t kVectors = kPanels * kUsed;
  Sums<V, kRows, kVectors> sums;
  SEALPACK_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) sums.at[i][j] = V::zero();
  }
  if (tile.accumulate) {
    SEALPACK_UNROLL
    for (std::size_t i = 0; i < kRows; ++i) {
      SEALPACK_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) {
        sums.at[i][j] = load_lanes<V, kWhole>(tile.out + i * tile.out_stride, tile.columns, j);
      }
    }
  }
  multiply_tile<V, kRows, kPanels, kUsed>(tile, sums);
  if (tile.finish != nullptr) finish_tile<V, kWhole>(tile, sums);
  SEALPACK_UNROLL
  for (std::size_t i = 0; i < kRows; ++i) {
    float* row = tile.out + i * tile.out_stride;
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      if constexpr (kWhole) {
        V::store(row + j * V::kLanes, sums.at[i][j]);
      } else if (const std::size_t n = lanes_of<V>(tile.columns, j); n != 0) {
        store_up_to<V>(row + j * V::kLanes, sums.at[i][j], n);
      }
    }
  }
}

// kRows rows by kPanels panels, of which kUsed vectors each are wanted.
template <class V, std::size_t kRows, std::size_t kPanels, std::size_t kUsed>
void micro_kernel(const Tile& tile) {
  if (tile.columns == kPanels * kUsed * V::kLanes) {
    run_tile<V, true, kRows, kPanels, kUsed>(tile);
  } else {
    run_tile<V, false, kRows, kPanels, kUsed>(tile);
  }
}

// Panels that a tile of few rows takes at once, so that enough chains of sums are in flight to hide
// the latency of a fused multiply-add: a power of two.
template <class V>
constexpr std::size_t panels_at_once(std::size_t rows) {
  std::size_t panels = 1;
  while (panels < 8 && rows * V::kPanelVectors * panels * 3 <= V::kAccumulators) panels *= 2;
  return panels;
}

using MicroKernel = void (*)(const Tile&);

// Pointers for 0 .. kTileRows rows, kPanels or as many as such a tile can take.
template <class V>
struct MicroKernels {
  MicroKernel at[V::kTileRows + 1] = {};
};

template <class V, std::size_t kPanels, std::size_t kUsed, std::size_t kRow = V::kTileRows>
constexpr void list_micro_kernels(MicroKernels<V>& list) {
  if constexpr (kRow > 0) {
    if constexpr (kPanels <= panels_at_once<V>(kRow)) {
      list.at[kRow] = micro_kernel<V, kRow, kPanels, kUsed>;
    }
    list_micro_kernels<V, kPanels, kUsed, kRow - 1>(list);
  }
}

template <class V, std::size_t kPanels, std::size_t kUsed>
constexpr MicroKernels<V> make_micro_kernels() {
  MicroKernels<V> list;
  list_micro_kernels<V, kPanels, kUsed>(list);
  return list;
}

template <class V, std::size_t kPanels, std::size_t kUsed>
inline constexpr MicroKernels<V> kMicroKernels = make_micro_kernels<V, kPanels, kUsed>();

template <class V>
MicroKernel find_micro_kernel(std::size_t rows, std::size_t panels, std::size_t columns) {
  switch (panels) {
    case 8:
      return kMicroKernels<V, 8, V::kPanelVectors>.at[rows];
    case 4:
      return kMicroKernels<V, 4, V::kPanelVectors>.at[rows];
    case 2:
      return kMicroKernels<V, 2, V::kPanelVectors>.at[rows];
    default:
      if (columns * 2 <= kPanel<V>) return kMicroKernels<V, 1, V::kPanelVectors / 2>.at[rows];
      return kMicroKernels<V, 1, V::kPanelVectors>.at[rows];
  }
}

}  // namespace sealpack::nn::kernels
