// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// out[rows][columns] = activation(in[rows][inner] * weights + bias + residual), constant weights.
// Inputs: the matrix, and the residual if there is one.
class MatrixStep final : public Step {
 public:
  std::uint64_t row_count = 0, columns = 0, inner = 0;
  Floats bias;  // empty, or one a column
  kernels::Activation activation = kernels::Activation::kNone;
  float low = 0, high = 0;

  std::uint64_t rows() const override { return row_count; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  std::uint64_t constants() const override { return bias.size() * sizeof(float); }
  Status run(const Work& work) const override;

 private:
  // Columns and inner indexes that one piece of work covers.
  struct Piece {
    Range columns;
    Range inner;
  };
  Piece piece(const Work& work) const;
  void run_part(const Work& work, Range rows, const Piece& all, Range columns) const;
};

// Products of matrices that are all computed: out[b] = a[b] * b[b] for each of a batch.
class ProductStep final : public Step {
 public:
  std::uint64_t row_count = 0, columns = 0, inner = 0;              // of one product
  std::vector<std::uint64_t> left, right, out;                      // where each begins, in floats
  std::uint64_t left_stride = 0, right_stride = 0, out_stride = 0;  // floats from row to row
  bool right_by_columns = false;  // stored [column][inner], right_stride from column to column
  bool is_dense = false;          // the products follow one another in the output
  Floats bias;                    // empty, or one a column
  const kernels::Kernels* kernels = nullptr;

  // Rows are products, where each fills its own part of the output.
  std::uint64_t rows() const override { return is_dense ? left.size() : 1; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  std::uint64_t scratch(unsigned threads) const override;
  std::uint64_t constants() const override { return bias.size() * sizeof(float); }
  Status run(const Work& work) const override;

 private:
  std::uint64_t scratch_each() const;
  void run_one(const Work& work, std::uint64_t index, std::uint8_t* scratch) const;
};

}  // namespace sealpack::nn::program
