// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_broadcast.h"
#include "runtime-loader/nn/ops/math_product.h"

namespace sealpack::nn {

// How numpy.matmul cuts two tensors into matrices: the last two dimensions multiply, those before
// broadcast; a tensor of rank 1 is a row on the left and a column on the right.
struct MatMulShape {
  Shape output;
  ProductShape product;  // of one pair of matrices
  Shape batch;
  Shape a_batch;
  Shape b_batch;

  // f(number of a's matrix, of b's, of the output's), in ascending order of the last.
  template <typename F>
  Status for_each(F&& f) const {
    Status status = done();
    const BroadcastRuns<2> runs(batch, {a_batch, b_batch});
    runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
      for (std::size_t i = 0; i < count && status.ok(); ++i) {
        status = f(offsets[0] + i * runs.step(0), offsets[1] + i * runs.step(1), offset + i);
      }
    });
    return status;
  }
};

// kMalformed for a scalar and for dimensions that do not fit; kLimit.
Result<MatMulShape> matmul_shape(const Shape& a, const Shape& b);

}  // namespace sealpack::nn
