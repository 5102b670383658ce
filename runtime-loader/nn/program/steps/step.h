// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/program/steps/packed_weights.h"
#include "runtime-loader/nn/services.h"
#include "runtime-loader/nn/tensor.h"

namespace sealpack::nn::program {

using TensorId = std::uint32_t;
inline constexpr TensorId kNoTensor = ~TensorId{0};

// The part of a tensor that is in memory: bytes from `first` on.
struct View {
  std::uint8_t* data = nullptr;
  std::uint64_t first = 0;

  std::uint8_t* at(std::uint64_t offset) const { return data + (offset - first); }
  float* floats(std::uint64_t index) const {
    return reinterpret_cast<float*>(at(index * sizeof(float)));
  }
};

// One piece of a step: some rows of its output, with some units of its weights.
struct Work {
  std::span<const View> inputs;
  std::span<const View> outputs;
  Range rows;
  Range units;                      // of the step's weights
  const float* packed = nullptr;    // those units
  std::uint8_t* scratch = nullptr;  // Step::scratch bytes, aligned to 64
  std::uint64_t scratch_size = 0;
  unsigned threads = 1;  // that the scratch was planned for
  const kernels::Kernels& kernels;
  Workers& workers;
};

// A part of the program that reads whole tensors and writes whole tensors, and can be cut: by rows
// of its output, of which each needs only some bytes of the inputs, and by units of its weights.
// However it is cut, the results are the same bits.
class Step {
 public:
  virtual ~Step() = default;

  // 1: cannot be cut by rows.
  virtual std::uint64_t rows() const { return 1; }
  // Cuts are at multiples of this.
  virtual std::uint64_t row_granule() const { return 1; }
  // Bytes of the operand that these rows touch. They grow with the rows: both ends are monotone.
  virtual Range input_bytes(std::size_t input, Range rows) const;
  virtual Range output_bytes(std::size_t output, Range rows) const;
  virtual std::uint64_t scratch(unsigned threads) const;
  // Bytes of parameters that the step holds itself, besides its weights.
  virtual std::uint64_t constants() const;
  virtual Status run(const Work& work) const = 0;

  std::string what;
  std::vector<std::uint32_t> nodes;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<std::uint64_t> input_sizes;  // bytes, dense
  std::vector<std::uint64_t> output_sizes;
  std::uint64_t multiply_adds = 0;
  int in_place = -1;        // the input over which the first output may lie
  bool is_load = false;     // its output is its weights, as fetched
  bool is_backend = false;  // a LinearBackend computes it: run is not called
  std::unique_ptr<PackedWeights> weights;
};

}  // namespace sealpack::nn::program
