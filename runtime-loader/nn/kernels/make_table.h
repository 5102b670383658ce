// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/convolve.h"
#include "runtime-loader/nn/kernels/pack.h"
#include "runtime-loader/nn/kernels/rows.h"
#include "runtime-loader/nn/kernels/transpose.h"
#include "runtime-loader/nn/kernels/window.h"
#include "runtime-loader/nn/kernels/winograd.h"

namespace sealpack::nn::kernels {

template <class V>
constexpr Kernels make_table(Isa isa, const char* name) {
  return {
      .isa = isa,
      .name = name,
      .panel = kPanel<V>,
      .row_block = V::kTileRows,
      .pack_columns = pack_columns<V>,
      .pack_rows = pack_rows<V>,
      .gemm = gemm<V>,
      .conv_scratch = conv_scratch<V>,
      .conv = conv<V>,
      .winograd_size = winograd_size<V>,
      .winograd_pack = winograd_pack<V>,
      .winograd_scratch = winograd_scratch<V>,
      .winograd = winograd<V>,
      .depthwise = depthwise<V>,
      .max_pool = max_pool<V>,
      .average_pool = average_pool<V>,
      .sum_rows = sum_rows<V>,
      .activate = activate<V>,
      .exp = exp_all<V>,
      .erf = erf_all<V>,
      .add = add<V>,
      .subtract = subtract<V>,
      .multiply = multiply<V>,
      .divide = divide<V>,
      .scale_shift = scale_shift<V>,
      .softmax = softmax<V>,
      .layer_norm = layer_norm<V>,
      .transpose = transpose<V>,
      .widen = widen<V>,
  };
}

}  // namespace sealpack::nn::kernels
