// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/steps/point_op.h"
#include "runtime-loader/nn/program/steps/step.h"

namespace sealpack::nn::program {

// A chain of operations over elements in one pass, a chunk after the other. Input 0 is where the
// chain begins, others are sides. Rows are runs of `width` elements.
class PointwiseStep final : public Step {
 public:
  struct Operation {
    PointOp op;
    int input = -1;       // the side that is a tensor
    bool is_row = false;  // that tensor is one row, for all rows
    Floats side;          // a known side, repeated to fill a chunk
  };
  // Elements worked on at a time: a multiple of `width`, at least kGoodChunk where rows are short.
  static constexpr std::uint64_t kGoodChunk = 2048;
  static std::uint64_t chunk_rows(std::uint64_t width);

  std::uint64_t row_count = 0, width = 0;
  std::vector<Operation> operations;
  bool has_row = false;  // some side is one row that is computed

  std::uint64_t rows() const override { return row_count; }
  Range input_bytes(std::size_t input, Range rows) const override;
  Range output_bytes(std::size_t output, Range rows) const override;
  std::uint64_t constants() const override;
  Status run(const Work& work) const override;

 private:
  void run_rows(const Work& work, Range rows) const;
  void run_chunk(const Work& work, std::uint64_t first, std::uint64_t count) const;
};

}  // namespace sealpack::nn::program
