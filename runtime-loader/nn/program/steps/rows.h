// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// What looks at a row of `width` floats at a time.
class RowStep : public Step {
 public:
  std::uint64_t row_count = 0, width = 0;

  std::uint64_t rows() const override { return row_count; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  Status run(const Work& work) const override;

 protected:
  virtual void run_rows(const kernels::Kernels& kernels, const float* in, std::uint64_t rows,
                        float* out) const = 0;
};

class SoftmaxStep final : public RowStep {
 protected:
  void run_rows(const kernels::Kernels& kernels, const float* in, std::uint64_t rows,
                float* out) const override;
};

class LayerNormStep final : public RowStep {
 public:
  Floats scale, bias;
  float epsilon = 0;

  std::uint64_t constants() const override { return (scale.size() + bias.size()) * sizeof(float); }

 protected:
  void run_rows(const kernels::Kernels& kernels, const float* in, std::uint64_t rows,
                float* out) const override;
};

}  // namespace sealpack::nn::program
