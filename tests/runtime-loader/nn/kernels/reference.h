// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime-loader/nn/kernels/kernels.h"

// The same sums as the kernels make, one at a time, in double.
namespace sealpack::nn::kernels::testing {

// A value, and the sum of the sizes of all that was added up: what an error is measured against.
struct Exact {
  double value;
  double size;
};

// A convolution of any kind; weights are ONNX's: [column][channel][y][x].
Exact exact_conv(const ConvShape& shape, const float* in, const float* weights, std::size_t column,
                 std::size_t out_y, std::size_t out_x);
// Of channel `channel` alone; weights are [y][x][channel].
Exact exact_depthwise(const ConvShape& shape, std::size_t channels, const float* in,
                      const float* weights, std::size_t channel, std::size_t out_y,
                      std::size_t out_x);

double exact_activation(Activation activation, double low, double high, double x);
// Bias, residual, activation, for output `at` of column `column`.
Exact exact_finish(const Epilogue& finish, Exact sum, std::size_t column, std::size_t at);

}  // namespace sealpack::nn::kernels::testing
