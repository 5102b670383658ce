// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <initializer_list>
#include <string>

#include "formats/base/bytes.h"

namespace sealpack::nn {

// Element types, numbered as in onnx.TensorProto.DataType. Strings are not tensors here.
enum class DType : std::uint8_t {
  kF32 = 1,
  kU8 = 2,
  kI8 = 3,
  kU16 = 4,
  kI16 = 5,
  kI32 = 6,
  kI64 = 7,
  kBool = 9,  // one byte, 0 or 1
  kF16 = 10,
  kF64 = 11,
  kU32 = 12,
  kU64 = 13,
  kBF16 = 16,
};
// kUnsupported for numbers that are not above.
Result<DType> to_dtype(std::uint64_t onnx_number);
std::size_t element_size(DType type);  // bytes
const char* to_string(DType type);     // "float32", "int64"

inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

// Dimensions of a tensor, outermost first; each at least 0. Rank 0 is a scalar. A Shape never holds
// more than kMaxRank dimensions nor more than kMaxElements elements: `make` checks.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);  // ends the process where `make` would refuse
  // kLimit for a higher rank or more elements; kMalformed for a negative dimension.
  static Result<Shape> make(std::span<const std::int64_t> dims);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const { return dims_[axis]; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  std::int64_t element_count() const;
  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};
std::string to_string(const Shape& shape);  // "[1,3,224,224]"

struct TensorType {
  DType dtype = DType::kF32;
  Shape shape;
  std::uint64_t size() const;  // bytes, dense
  bool operator==(const TensorType&) const = default;
};

// A dense row-major tensor in memory that somebody else owns, aligned to its element.
struct ConstTensor {
  TensorType type;
  const std::uint8_t* data = nullptr;

  template <typename T>
  std::span<const T> elements() const {
    return {reinterpret_cast<const T*>(data), static_cast<std::size_t>(type.shape.element_count())};
  }
};
struct Tensor {
  TensorType type;
  std::uint8_t* data = nullptr;

  template <typename T>
  std::span<T> elements() const {
    return {reinterpret_cast<T*>(data), static_cast<std::size_t>(type.shape.element_count())};
  }
  operator ConstTensor() const { return {type, data}; }  // NOLINT: a tensor may always be read
};

}  // namespace sealpack::nn
