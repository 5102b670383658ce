// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/vector.h"

namespace sealpack::nn::kernels {

// One block of at most kLanes by kLanes.
template <class V>
SEALPACK_INLINE void transpose_block(const float* in, std::size_t rows, std::size_t columns,
                                     std::size_t in_stride, float* out, std::size_t out_stride) {
  typename V::F block[V::kLanes];
  for (std::size_t i = 0; i < V::kLanes; ++i) {
    block[i] = i < rows ? load_up_to<V>(in + i * in_stride, columns) : V::zero();
  }
  V::transpose(block);
  for (std::size_t i = 0; i < columns; ++i) store_up_to<V>(out + i * out_stride, block[i], rows);
}

// The elements only move; any 4 bytes do.
template <class V>
void transpose(const void* in, std::size_t rows, std::size_t columns, void* out) {
  const auto* from = static_cast<const float*>(in);
  auto* to = static_cast<float*>(out);
  for (std::size_t row = 0; row < rows; row += V::kLanes) {
    for (std::size_t column = 0; column < columns; column += V::kLanes) {
      transpose_block<V>(from + row * columns + column, smaller(V::kLanes, rows - row),
                         smaller(V::kLanes, columns - column), columns, to + column * rows + row,
                         rows);
    }
  }
}

}  // namespace sealpack::nn::kernels
