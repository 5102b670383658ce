// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/functions.h"
#include "runtime-loader/nn/kernels/micro_kernel.h"

// Blocks of outputs, and the whole product.
namespace sealpack::nn::kernels {

// Inner indexes of a block: a panel of so many rows stays in the first-level cache while the rows
// of the tile pass by.
inline constexpr std::size_t kInnerBlock = 256;

struct Block {
  std::size_t rows;
  std::size_t columns;
  std::size_t inner;
  const float* in;
  std::size_t in_stride;
  const float* packed;       // first panel, at the block's first inner index
  std::size_t panel_stride;  // floats from a panel to the next
  float* out;
  std::size_t out_stride;
  bool accumulate;
  const Epilogue* finish;
  const float* next;  // what will be wanted after the last panel; may be any address
};

// Rows and columns of a block that make a tile.
struct TileRange {
  std::size_t row, rows;
  std::size_t column, panels;
};

inline constexpr std::size_t kCacheLine = 64;

// A tile asks for its part of the weights that follow those of its own panels: the first tile for
// the first cache line of each inner index, and so on.
template <class V>
SEALPACK_INLINE void look_ahead(const Block& block, const TileRange& range, std::size_t index,
                                Tile& tile) {
  const std::size_t next = range.column + range.panels * kPanel<V>;
  const float* weights =
      next < block.columns ? block.packed + next / kPanel<V> * block.panel_stride : block.next;
  const bool has_part = index * kCacheLine < kPanel<V> * sizeof(float);
  tile.ahead = reinterpret_cast<std::uintptr_t>(has_part ? weights : tile.packed);
  tile.ahead += has_part ? index * block.inner * kCacheLine : 0;
  tile.ahead_step = has_part ? kCacheLine : 0;
}

template <class V>
void run_rows(const Block& block, const TileRange& range, std::size_t index) {
  const std::size_t columns = smaller(block.columns - range.column, range.panels * kPanel<V>);
  float* out = block.out + range.row * block.out_stride + range.column;
  Tile tile{columns,
            block.inner,
            block.in + range.row * block.in_stride,
            block.in_stride,
            block.packed + range.column / kPanel<V> * block.panel_stride,
            block.panel_stride,
            out,
            block.out_stride,
            block.accumulate,
            nullptr,
            0,
            0};
  look_ahead<V>(block, range, index, tile);
  Epilogue finish;
  if (block.finish != nullptr) {
    finish = at_offset(*block.finish, range.row * block.out_stride, range.column);
    tile.finish = &finish;
  }
  find_micro_kernel<V>(range.rows, range.panels, columns)(tile);
  if (block.finish == nullptr || is_cheap(finish.activation)) return;
  for (std::size_t i = 0; i < range.rows; ++i, out += block.out_stride) {
    activate<V>(finish.activation, finish.low, finish.high, out, out, columns);
  }
}

// Rows of `in` whose distance is a multiple of 4 KiB share one set of the first-level cache, which
// holds 8 of them and not many more.
template <class V>
SEALPACK_INLINE std::size_t most_tile_rows(std::size_t in_stride) {
  return in_stride % 1024 == 0 ? smaller(V::kTileRows, 8) : V::kTileRows;
}

// The panels are the outer loop: each is read once from far away, the rows again and again.
template <class V>
void multiply_block(const Block& block) {
  const std::size_t tiles = divide_up(block.rows, most_tile_rows<V>(block.in_stride));
  if (tiles == 0) return;
  // Tiles as equal as can be: one of a single row would run at a fraction of the speed.
  const std::size_t rows = block.rows / tiles, longer = block.rows % tiles;
  const std::size_t most_panels = panels_at_once<V>(rows + (longer != 0 ? 1 : 0));
  TileRange range{};
  for (; range.column < block.columns; range.column += range.panels * kPanel<V>) {
    const std::size_t left = divide_up(block.columns - range.column, kPanel<V>);
    for (range.panels = most_panels; range.panels > left;) range.panels /= 2;
    range.row = 0;
    for (std::size_t tile = 0; tile < tiles; ++tile, range.row += range.rows) {
      range.rows = rows + (tile < longer ? 1 : 0);
      run_rows<V>(block, range, tile);
    }
  }
}

// Where the inner dimension is cut: equal parts of at most `most`.
struct InnerCut {
  std::size_t count;
  std::size_t size;
};
SEALPACK_INLINE constexpr InnerCut cut_inner(std::size_t inner, std::size_t most) {
  const std::size_t count = larger(1, divide_up(inner, most));
  const std::size_t size = larger(1, round_up(divide_up(inner, count), 4));
  return {larger(1, divide_up(inner, size)), size};
}

// Rows taken together: their part of `in` fits in the second-level cache beside the panels.
inline constexpr std::size_t kRowBlock = 336;

template <class V>
void gemm(const GemmShape& shape, const float* in, std::size_t in_stride, const float* packed,
          float* out, std::size_t out_stride, bool accumulate, const Epilogue* finish) {
  // A few rows fit in the first-level cache at greater length; panels are read once in any case.
  const std::size_t most =
      shape.rows <= 6 ? larger(kInnerBlock, 6144 / larger(1, shape.rows)) : kInnerBlock;
  const InnerCut cut = cut_inner(shape.inner, most);
  for (std::size_t row = 0; row < shape.rows; row += kRowBlock) {
    const std::size_t rows = smaller(kRowBlock, shape.rows - row);
    Epilogue moved;
    if (finish != nullptr) moved = at_offset(*finish, row * out_stride, 0);
    for (std::size_t part = 0; part < cut.count; ++part) {
      const std::size_t first = part * cut.size;
      const bool last = part + 1 == cut.count;
      multiply_block<V>({rows, shape.columns, last ? shape.inner - first : cut.size,
                         in + row * in_stride + first, in_stride, packed + first * kPanel<V>,
                         shape.inner * kPanel<V>, out + row * out_stride, out_stride,
                         accumulate || part != 0, last && finish != nullptr ? &moved : nullptr,
                         packed + (last ? 0 : first + cut.size) * kPanel<V>});
    }
  }
}

}  // namespace sealpack::nn::kernels
