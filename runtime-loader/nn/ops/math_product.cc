// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_product.h"

#include <algorithm>

#include "runtime-loader/nn/ops/math_types.h"

namespace sealpack::nn {
namespace {

constexpr std::size_t kRowBlock = 16;      // rows of one task
constexpr std::size_t kColumnBlock = 512;  // sums that stay in the first cache

template <typename C>
void multiply_row(const ProductShape& shape, const C* a, std::size_t a_step, const MatrixView<C>& b,
                  C* out) {
  std::fill_n(out, shape.columns, C{0});
  for (std::size_t first = 0; first < shape.columns; first += kColumnBlock) {
    const std::size_t last = std::min(first + kColumnBlock, shape.columns);
    for (std::size_t k = 0; k < shape.inner; ++k) {
      const C factor = a[k * a_step];
      const C* row = b.data + k * b.row_stride;
      if (b.column_stride == 1) {
        for (std::size_t c = first; c < last; ++c) out[c] = multiply_add(factor, row[c], out[c]);
      } else {
        for (std::size_t c = first; c < last; ++c) {
          out[c] = multiply_add(factor, row[c * b.column_stride], out[c]);
        }
      }
    }
  }
}

}  // namespace

template <typename C>
Status multiply_matrices(const ProductShape& shape, const MatrixView<C>& a, const MatrixView<C>& b,
                         C* out, std::size_t out_stride, RunContext& context) {
  if (shape.rows == 0 || shape.columns == 0) return done();
  const std::size_t parts = (shape.rows - 1) / kRowBlock + 1;
  context.workers.run(parts, [&](std::size_t part) {
    const std::size_t last = std::min((part + 1) * kRowBlock, shape.rows);
    for (std::size_t row = part * kRowBlock; row < last; ++row) {
      multiply_row(shape, a.data + row * a.row_stride, a.column_stride, b, out + row * out_stride);
    }
  });
  return done();
}

#define SEALPACK_INSTANTIATE(C)                                                   \
  template Status multiply_matrices<C>(const ProductShape&, const MatrixView<C>&, \
                                       const MatrixView<C>&, C*, std::size_t, RunContext&)
SEALPACK_INSTANTIATE(float);
SEALPACK_INSTANTIATE(double);
SEALPACK_INSTANTIATE(std::int32_t);
SEALPACK_INSTANTIATE(std::int64_t);
SEALPACK_INSTANTIATE(std::uint32_t);
SEALPACK_INSTANTIATE(std::uint64_t);
#undef SEALPACK_INSTANTIATE

}  // namespace sealpack::nn
