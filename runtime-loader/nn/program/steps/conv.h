// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// A convolution of NHWC images with constant weights. Inputs: the image, and the residual if there
// is one. Rows are rows of output pixels, of all images.
class ConvStep final : public Step {
 public:
  enum class Algorithm { kDirect, kPointwise, kWinograd, kDepthwise };

  Algorithm algorithm = Algorithm::kDirect;
  kernels::ConvShape shape;  // of one group
  std::uint64_t images = 1;
  std::uint64_t groups = 1;
  Floats bias;  // empty, or one an output channel
  kernels::Activation activation = kernels::Activation::kNone;
  float low = 0, high = 0;
  const kernels::Kernels* kernels = nullptr;

  std::uint64_t rows() const override { return images * shape.out_height; }
  std::uint64_t row_granule() const override;
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  std::uint64_t scratch(unsigned threads) const override;
  std::uint64_t constants() const override { return bias.size() * sizeof(float); }
  Status run(const Work& work) const override;

 private:
  std::uint64_t scratch_each() const;
  std::uint64_t unit_multiply_adds() const;
  void run_rows(const Work& work, Range rows, Range units, std::uint8_t* scratch) const;
  void run_image(const Work& work, std::uint64_t image, Range rows, Range units,
                 std::uint8_t* scratch) const;
  void run_columns(const Work& work, const kernels::RowRange& rows, std::uint64_t image,
                   Range units, std::uint8_t* scratch) const;
  void run_groups(const Work& work, const kernels::RowRange& rows, std::uint64_t image, Range units,
                  std::uint8_t* scratch) const;
};

// Rows of input that output rows [first, last) of all images need, for a window of this shape.
Range window_rows(const kernels::ConvShape& shape, Range rows);

}  // namespace sealpack::nn::program
