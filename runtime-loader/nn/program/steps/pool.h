// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// Maximum or average over windows of NHWC images. Rows are rows of output pixels, of all images.
class PoolStep final : public Step {
 public:
  kernels::ConvShape shape;
  std::uint64_t images = 1;
  bool is_average = false;
  bool counts_padding = false;

  std::uint64_t rows() const override { return images * shape.out_height; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  Status run(const Work& work) const override;

 private:
  void run_rows(const Work& work, Range rows) const;
};

// The average of all pixels of an image, [images][pixels][channels] to [images][channels]. Rows are
// images.
class GlobalAverageStep final : public Step {
 public:
  std::uint64_t images = 1, pixels = 1, channels = 1;

  std::uint64_t rows() const override { return images; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  Status run(const Work& work) const override;
};

}  // namespace sealpack::nn::program
