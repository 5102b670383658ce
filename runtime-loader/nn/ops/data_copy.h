// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_check.h"

// Moving elements about: what most operators of data_*.cc come down to.
namespace sealpack::nn {

// One loop of a copy: `count` times, `from` and `to` bytes further each time (0 or negative too).
struct CopyAxis {
  std::int64_t count = 1;
  std::int64_t from = 0;
  std::int64_t to = 0;
};
inline constexpr std::size_t kMaxCopyAxes = 2 * kMaxRank;

// Copies an element of `size` bytes for every combination of the axes, outermost first, at most
// kMaxCopyAxes. Destinations do not overlap each other or the source; `to` of the innermost axes is
// best dense. Axes that continue each other are joined, and dense runs are copied whole.
void copy_elements(const std::uint8_t* from, std::uint8_t* to, std::size_t size,
                   std::span<const CopyAxis> axes);

// Bytes from one index of an axis to the next, in a dense tensor.
std::array<std::int64_t, kMaxRank> byte_strides(const TensorType& type);

// The dense tensor `type` seen as [outer][dim of the axis][inner].
struct AxisView {
  AxisView(const TensorType& type, std::size_t axis);
  std::int64_t outer = 1;
  std::int64_t count = 1;  // along the axis
  std::int64_t inner = 1;  // elements after it
  std::int64_t size = 1;   // bytes of `inner` elements
};

// Indexes, int32 or int64, that count from the end where negative.
class IndexReader {
 public:
  explicit IndexReader(const ConstTensor& tensor) : tensor_(tensor) {}
  // -1 if it is none of 0 … limit-1 or -limit … -1.
  std::int64_t at(std::int64_t position, std::int64_t limit) const {
    std::int64_t index = value(position);
    if (index < 0) index += limit;
    return index >= 0 && index < limit ? index : -1;
  }
  std::int64_t value(std::int64_t position) const {
    if (tensor_.type.dtype == DType::kI64) {
      return reinterpret_cast<const std::int64_t*>(tensor_.data)[position];
    }
    return reinterpret_cast<const std::int32_t*>(tensor_.data)[position];
  }
  // For the one that `at` has refused.
  Error refused(std::int64_t position, std::int64_t limit) const;

 private:
  ConstTensor tensor_;
};

// Counts through all indexes of a shape, last axis fastest.
class Odometer {
 public:
  explicit Odometer(std::span<const std::int64_t> dims) : dims_(dims) {}
  std::span<const std::int64_t> index() const { return {index_.data(), dims_.size()}; }
  std::int64_t operator[](std::size_t axis) const { return index_[axis]; }
  // False after the last.
  bool next() {
    for (std::size_t axis = dims_.size(); axis-- > 0;) {
      if (++index_[axis] < dims_[axis]) return true;
      index_[axis] = 0;
    }
    return false;
  }

 private:
  std::span<const std::int64_t> dims_;
  std::array<std::int64_t, kMaxCopyAxes> index_{};
};

std::vector<std::int64_t> to_list(const Shape& shape);
// The one element of input `index` (shape [] or [1]) as an integer, if it is known by now.
Result<std::int64_t> one_integer(const ConstTensor& tensor, const char* what);

}  // namespace sealpack::nn
