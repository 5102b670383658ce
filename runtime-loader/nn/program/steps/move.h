// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

// Steps that compute nothing: they put elements elsewhere.
namespace sealpack::nn::program {

// [batch][rows][columns] -> [batch][columns][rows] of 4-byte elements. Rows are rows of the output.
class TransposeStep final : public Step {
 public:
  std::uint64_t batch = 1, in_rows = 0, in_columns = 0;

  Status run(const Work& work) const override;
};

// out[i][j][k][...] = in[...] with runs of `run_size` bytes that stay together: the output in
// order, `counts` runs along each dimension, `strides` bytes apart in the input.
class PermuteStep final : public Step {
 public:
  std::vector<std::uint64_t> counts, strides;
  std::uint64_t run_size = 0;

  Status run(const Work& work) const override;
};

// Puts the inputs side by side: row i of the output is row i of the first input, then of the
// second, … A copy, where there is one input.
class ConcatStep final : public Step {
 public:
  std::uint64_t row_count = 1;
  std::vector<std::uint64_t> row_sizes;  // bytes, one an input
  std::uint64_t out_row_size = 0;

  std::uint64_t rows() const override { return row_count; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  Status run(const Work& work) const override;
};

// Weights as a tensor, for steps that take them as an input.
class LoadStep final : public Step {
 public:
  LoadStep() { is_load = true; }
  Status run(const Work& work) const override;
};

// out[i] = table[indexes[i]]. The whole table passes by, whatever the indexes, so that nobody who
// sees which weights are fetched learns what was looked up. Input: the indexes.
class LookupStep final : public Step {
 public:
  std::uint64_t table_rows = 0, row_size = 0, index_count = 0;
  DType index_type = DType::kI64;

  Status run(const Work& work) const override;

 private:
  Result<std::uint64_t> index(const Work& work, std::uint64_t i) const;
};

}  // namespace sealpack::nn::program
