// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_product.h"

#include <algorithm>

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_types.h"

namespace sealpack::nn {
namespace {

constexpr std::size_t kRowBlock = 16;      // of one task
constexpr std::size_t kColumnBlock = 512;  // of one pass: what is at work stays in the caches

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

// f(first row, end) for all rows, in parallel.
template <typename F>
void for_row_blocks(std::size_t rows, std::size_t block, Workers& workers, const F& f) {
  workers.run((rows - 1) / block + 1,
              [&](std::size_t part) { f(part * block, std::min((part + 1) * block, rows)); });
}

template <typename C>
void multiply_plainly(const ProductShape& shape, const MatrixView<C>& a, const MatrixView<C>& b,
                      C* out, std::size_t out_stride, Workers& workers) {
  for_row_blocks(shape.rows, kRowBlock, workers, [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) {
      multiply_row(shape, a.data + row * a.row_stride, a.column_stride, b, out + row * out_stride);
    }
  });
}

// The same sums by the machine's kernels: columns of b are packed, some at a time. One of b's
// strides is 1.
Status multiply_packed(const ProductShape& shape, const MatrixView<float>& a,
                       const MatrixView<float>& b, float* out, std::size_t out_stride,
                       RunContext& context) {
  const kernels::Kernels& machine = kernels::best_kernels();
  const kernels::WeightFormat plain;
  const std::size_t panels =
      std::min((shape.columns - 1) / machine.panel + 1, (kColumnBlock - 1) / machine.panel + 1);
  const std::size_t block = panels * machine.panel;
  const auto packed = TRY(Scratch<float>::make(context.memory, block * shape.inner));
  const std::size_t share = (shape.rows - 1) / context.workers.count() + 1;
  const std::size_t rows = ((share - 1) / machine.row_block + 1) * machine.row_block;
  for (std::size_t first = 0; first < shape.columns; first += block) {
    const std::size_t columns = std::min(block, shape.columns - first);
    const float* from = b.data + first * b.column_stride;
    if (b.column_stride == 1) {
      machine.pack_rows(from, plain, b.row_stride, columns, shape.inner, packed.data());
    } else {
      machine.pack_columns(from, plain, b.column_stride, columns, shape.inner, 1, packed.data());
    }
    for_row_blocks(shape.rows, rows, context.workers, [&](std::size_t begin, std::size_t end) {
      machine.gemm({end - begin, columns, shape.inner}, a.data + begin * a.row_stride, a.row_stride,
                   packed.data(), out + begin * out_stride + first, out_stride, false, nullptr);
    });
  }
  return done();
}

// Brings the left matrix into rows without gaps between their elements.
Status multiply_floats(const ProductShape& shape, const MatrixView<float>& a,
                       const MatrixView<float>& b, float* out, std::size_t out_stride,
                       RunContext& context) {
  if (a.column_stride == 1) return multiply_packed(shape, a, b, out, out_stride, context);
  const auto rows = TRY(Scratch<float>::make(context.memory, shape.rows * shape.inner));
  for (std::size_t i = 0; i < shape.rows; ++i) {
    for (std::size_t k = 0; k < shape.inner; ++k) {
      rows.data()[i * shape.inner + k] = a.data[i * a.row_stride + k * a.column_stride];
    }
  }
  return multiply_packed(shape, {rows.data(), shape.inner, 1}, b, out, out_stride, context);
}

}  // namespace

template <typename C>
Status multiply_matrices(const ProductShape& shape, const MatrixView<C>& a, const MatrixView<C>& b,
                         C* out, std::size_t out_stride, RunContext& context) {
  if (shape.rows == 0 || shape.columns == 0) return done();
  if constexpr (std::is_same_v<C, float>) {
    const bool can_pack = b.column_stride == 1 || b.row_stride == 1;
    if (can_pack && shape.inner > 0) {
      return multiply_floats(shape, a, b, out, out_stride, context);
    }
  }
  multiply_plainly(shape, a, b, out, out_stride, context.workers);
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
