// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/program/steps/wiped.h"
#include "runtime-loader/nn/services.h"
#include "runtime-loader/nn/tensor.h"

namespace sealpack::nn::program {

// [first, last)
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t count() const { return last - first; }
  bool operator==(const Range&) const = default;
};

// Where the bytes of weights are: in the model's files, or folded when the program was compiled.
struct WeightBytes {
  std::shared_ptr<const WipedBytes> folded;
  std::uint32_t file = 0;
  std::uint64_t offset = 0;

  Status read(WeightSource& source, std::uint64_t from, MutableBytes out) const;
};

// Weights of one step: how they lie in their file and in what form the step's kernel wants them.
// They consist of units (a panel of output columns, a few rows of the inner dimension, a group, …)
// that can be fetched one by one; packed units lie one after the other, all of the same size.
class PackedWeights {
 public:
  enum class Form {
    kColumns,    // stored [column][inner]; a unit is a panel of columns
    kRows,       // stored [inner][column]; a unit is kRowsPerUnit inner indexes of all columns
    kGroups,     // stored [group][column][inner]; a unit is a group
    kWinograd,   // stored [column][channel][3][3]; a unit is a panel of columns
    kDepthwise,  // stored [channel][tap]; one unit: [tap][channel]
    kDense,      // as stored; a unit is `inner` bytes
  };
  static constexpr std::uint64_t kRowsPerUnit = 16;

  Form form = Form::kDense;
  WeightBytes bytes;
  kernels::WeightType type = kernels::WeightType::kF32;
  Floats dequantize_scale;     // empty, one, or one a column
  WipedBytes dequantize_zero;  // the same count
  Floats column_scale;         // empty, or one a column: multiplies the weights
  std::uint64_t groups = 1;
  std::uint64_t columns = 0;  // of a group
  std::uint64_t inner = 0;
  std::uint64_t taps = 1;
  std::uint64_t dense_units = 1;  // of kDense
  std::uint64_t dense_size = 0;   // bytes, of kDense: the last unit may be short
  std::uint32_t value = 0;        // of the graph: the initializer it comes from
  const kernels::Kernels* kernels = nullptr;

  std::uint64_t unit_count() const;
  // Bytes. A range of units packed together may need a little less than its units alone.
  std::uint64_t packed_size(Range units) const;
  // Bytes as stored: of all, and of some units.
  std::uint64_t stored_size() const;
  std::uint64_t stored_size(Range units) const;
  std::uint64_t element_size() const;
  // Staging memory for fetching one unit, and for reading several at once.
  std::uint64_t least_staging(Range units) const;
  std::uint64_t good_staging(Range units) const;
  // Reads and packs units through `staging`. The float count of `packed` is packed_size / 4.
  Status fetch(WeightSource& source, Range units, MutableBytes staging, float* packed) const;

 private:
  std::uint64_t unit_stored() const;
  std::uint64_t unit_packed() const;
  std::uint64_t columns_in(Range units) const;
  Status fetch_units(WeightSource& source, Range units, MutableBytes staging, float* packed) const;
  Status fetch_depthwise(WeightSource& source, MutableBytes staging, float* packed) const;
  Status fetch_dense(WeightSource& source, Range units, float* packed) const;
  void pack(Range units, std::uint8_t* stored, Range whole, float* packed) const;
  void pack_rows(Range part, const std::uint8_t* stored, Range whole, float* packed) const;
  void pack_winograd(Range part, std::uint8_t* stored, float* packed) const;
  kernels::WeightFormat format_at(std::uint64_t column) const;
  void scale_columns(std::uint64_t first, std::uint64_t count, std::uint64_t length,
                     float* packed) const;
};

}  // namespace sealpack::nn::program
