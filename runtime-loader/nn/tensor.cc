// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/tensor.h"

#include <algorithm>

namespace sealpack::nn {
namespace {

struct TypeFacts {
  DType type;
  std::size_t size;
  const char* name;
};
constexpr TypeFacts kTypes[] = {
    {DType::kF32, 4, "float32"},   {DType::kU8, 1, "uint8"},   {DType::kI8, 1, "int8"},
    {DType::kU16, 2, "uint16"},    {DType::kI16, 2, "int16"},  {DType::kI32, 4, "int32"},
    {DType::kI64, 8, "int64"},     {DType::kBool, 1, "bool"},  {DType::kF16, 2, "float16"},
    {DType::kF64, 8, "float64"},   {DType::kU32, 4, "uint32"}, {DType::kU64, 8, "uint64"},
    {DType::kBF16, 2, "bfloat16"},
};

const TypeFacts& facts(DType type) {
  for (const TypeFacts& known : kTypes) {
    if (known.type == type) return known;
  }
  die("not a DType");
}

}  // namespace

Result<DType> to_dtype(std::uint64_t onnx_number) {
  for (const TypeFacts& known : kTypes) {
    if (static_cast<std::uint64_t>(known.type) == onnx_number) return known.type;
  }
  return Error(ErrorCode::kUnsupported,
               "element type " + std::to_string(onnx_number) + " is not supported");
}

std::size_t element_size(DType type) {
  return facts(type).size;
}

const char* to_string(DType type) {
  return facts(type).name;
}

Shape::Shape(std::initializer_list<std::int64_t> dims) {
  Result<Shape> made = make({dims.begin(), dims.size()});
  if (!made.ok()) die("a Shape of our own is out of bounds");
  *this = *made;
}

Result<Shape> Shape::make(std::span<const std::int64_t> dims) {
  if (dims.size() > kMaxRank) {
    return Error(ErrorCode::kLimit, "a tensor of rank " + std::to_string(dims.size()) + ", over " +
                                        std::to_string(kMaxRank));
  }
  Shape shape;
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 0) {
      return Error(ErrorCode::kMalformed, "a dimension of " + std::to_string(dim));
    }
    // An empty dimension counts as 1, so that strides of the others stay bounded as well.
    if (dim > kMaxElements / count) {
      return Error(ErrorCode::kLimit,
                   "a tensor of over " + std::to_string(kMaxElements) + " elements");
    }
    count *= std::max<std::int64_t>(dim, 1);
    shape.dims_[shape.rank_++] = dim;
  }
  return shape;
}

std::int64_t Shape::element_count() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims()) count *= dim;
  return count;
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dims(), other.dims());
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t dim : shape.dims()) {
    if (text.size() > 1) text += ',';
    text += std::to_string(dim);
  }
  return text + ']';
}

std::uint64_t TensorType::size() const {
  return static_cast<std::uint64_t>(shape.element_count()) * element_size(dtype);
}

}  // namespace sealpack::nn
