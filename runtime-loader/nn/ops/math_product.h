// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator.h"

// Products of matrices, which convolutions and contractions come down to as well.
namespace sealpack::nn {

struct ProductShape {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t inner = 0;
};

// Element (i, j) is data[i * row_stride + j * column_stride].
template <typename C>
struct MatrixView {
  const C* data = nullptr;
  std::size_t row_stride = 0;
  std::size_t column_stride = 1;
};

// out[rows][columns] (rows out_stride apart) = a[rows][inner] * b[inner][columns]. Each sum is one
// chain of fused multiply-adds from 0 in ascending order of `inner`, as kernels.h has it; integers
// are modulo 2^bits. C: float, double, int32, int64, uint32, uint64. kLimit for want of scratch.
template <typename C>
Status multiply_matrices(const ProductShape& shape, const MatrixView<C>& a, const MatrixView<C>& b,
                         C* out, std::size_t out_stride, RunContext& context);

}  // namespace sealpack::nn
