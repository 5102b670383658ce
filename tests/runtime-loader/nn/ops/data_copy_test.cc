// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/data_copy.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/runtime-loader/nn/ops/data_runner.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

// Elements one by one, as the contract says.
void copy_naively(const std::uint8_t* from, std::uint8_t* to, std::size_t size,
                  std::span<const CopyAxis> axes) {
  if (axes.empty()) {
    std::memcpy(to, from, size);
    return;
  }
  for (std::int64_t i = 0; i < axes[0].count; ++i) {
    copy_naively(from + i * axes[0].from, to + i * axes[0].to, size, axes.subspan(1));
  }
}

struct Case {
  TensorType in;
  TensorType out;
  std::vector<CopyAxis> axes;
  std::int64_t offset = 0;
};

// A dense output whose axes are those of a random tensor: permuted, some repeated, some reversed.
Case random_case(std::mt19937& random) {
  const auto below = [&random](std::size_t limit) { return random() % limit; };
  const DType types[] = {DType::kU8, DType::kF16, DType::kF32, DType::kI64};
  Case result;
  result.in.dtype = result.out.dtype = types[below(4)];
  std::vector<std::int64_t> dims;
  std::vector<std::size_t> order;
  for (std::size_t axis = below(5); axis > 0; --axis) {
    order.push_back(dims.size());
    dims.push_back(static_cast<std::int64_t>(1 + below(below(2) == 0 ? 3 : 40)));
  }
  std::shuffle(order.begin(), order.end(), random);
  result.in.shape = *Shape::make(dims);
  const auto strides = byte_strides(result.in);
  std::vector<std::int64_t> out_dims;
  for (const std::size_t axis : order) {
    const std::size_t kind = below(8);
    CopyAxis copy = {dims[axis], strides[axis], 0};
    if (kind == 0) copy.from = 0;
    if (kind == 1) {
      result.offset += (dims[axis] - 1) * strides[axis];
      copy.from = -copy.from;
    }
    out_dims.push_back(copy.count);
    result.axes.push_back(copy);
  }
  result.out.shape = *Shape::make(out_dims);
  const auto to = byte_strides(result.out);
  for (std::size_t i = 0; i < result.axes.size(); ++i) result.axes[i].to = to[i];
  return result;
}

TEST(CopyElements, AgreesWithOneElementAfterTheOther) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    const Case c = random_case(random);
    OwnedTensor in(c.in);
    for (std::size_t b = 0; b < in.bytes().size(); ++b) {
      in.view().data[b] = static_cast<std::uint8_t>(random());
    }
    OwnedTensor fast(c.out);
    OwnedTensor naive(c.out);
    const std::size_t size = element_size(c.in.dtype);
    copy_elements(in.view().data + c.offset, fast.view().data, size, c.axes);
    copy_naively(in.view().data + c.offset, naive.view().data, size, c.axes);
    ASSERT_TRUE(std::ranges::equal(fast.bytes(), naive.bytes()))
        << i << ": " << to_string(c.in.shape) << " to " << to_string(c.out.shape);
  }
}

TEST(CopyElements, AnEmptyAxisCopiesNothing) {
  std::uint8_t byte = 1;
  const CopyAxis axes[] = {{std::int64_t{1} << 40U, 0, 0}, {0, 1, 1}};
  copy_elements(nullptr, &byte, 1, axes);
  EXPECT_EQ(byte, 1);
}

TEST(IndexReader, CountsFromTheEndWhereNegative) {
  const OwnedTensor indexes = integers({0, 4, -1, -5, 5, -6, INT64_MIN, INT64_MAX});
  const IndexReader reader(indexes.view());
  EXPECT_EQ(reader.at(0, 5), 0);
  EXPECT_EQ(reader.at(1, 5), 4);
  EXPECT_EQ(reader.at(2, 5), 4);
  EXPECT_EQ(reader.at(3, 5), 0);
  for (std::int64_t i = 4; i < 8; ++i) EXPECT_EQ(reader.at(i, 5), -1) << i;
}

}  // namespace
}  // namespace sealpack::nn::testing
