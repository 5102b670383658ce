// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace sealpack::nn {
namespace {

bool is_nan(std::uint16_t bits, std::uint16_t infinity) {
  return (bits & 0x7fffU) > infinity;
}

TEST(Float16, EveryNumberSurvivesTheWayToFloatAndBack) {
  for (std::uint32_t i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = f16_to_f32(bits);
    if (is_nan(bits, 0x7c00)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(is_nan(f32_to_f16(value), 0x7c00));
    } else {
      EXPECT_EQ(f32_to_f16(value), bits);
    }
    const float wide = bf16_to_f32(bits);
    if (is_nan(bits, 0x7f80)) {
      EXPECT_TRUE(is_nan(f32_to_bf16(wide), 0x7f80));
    } else {
      EXPECT_EQ(f32_to_bf16(wide), bits);
    }
  }
}

TEST(Float16, KnowsItsLandmarks) {
  EXPECT_EQ(f16_to_f32(0x3c00), 1.0F);
  EXPECT_EQ(f16_to_f32(0xc000), -2.0F);
  EXPECT_EQ(f16_to_f32(0x7bff), 65504.0F);
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24F);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14F);
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
  EXPECT_EQ(f32_to_f16(-0.0F), 0x8000);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(bf16_to_f32(0x3f80), 1.0F);
}

TEST(Float16, RoundsHalfwayCasesToEven) {
  EXPECT_EQ(f32_to_f16(1 + 0x1p-11F), 0x3c00);             // between 1 and the next: 1 is even
  EXPECT_EQ(f32_to_f16(1 + 3 * 0x1p-11F), 0x3c02);         // between the next two
  EXPECT_EQ(f32_to_f16(1 + 0x1p-11F + 0x1p-20F), 0x3c01);  // just above halfway
  EXPECT_EQ(f32_to_f16(65519.0F), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0F), 0x7c00);  // halfway to 2^16: infinite
  EXPECT_EQ(f32_to_f16(0x1p-25F), 0x0000);  // half of the least
  EXPECT_EQ(f32_to_f16(0x1.8p-24F), 0x0002);
  EXPECT_EQ(f32_to_f16(0x1.ff8p-15F), 0x03ff);  // greatest below the normal ones
  EXPECT_EQ(f32_to_f16(0x1.ffcp-15F), 0x0400);
  EXPECT_EQ(f32_to_bf16(1 + 0x1p-8F), 0x3f80);
  EXPECT_EQ(f32_to_bf16(1 + 3 * 0x1p-8F), 0x3f82);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Float16, RoundsADoubleOnce) {
  // Rounding to float first would land on the halfway case, and then on the even side of it.
  EXPECT_EQ(f64_to_f16(1 + 0x1p-11 + 0x1p-40), 0x3c01);
  EXPECT_EQ(f64_to_bf16(1 + 0x1p-8 + 0x1p-40), 0x3f81);
  EXPECT_EQ(f64_to_f16(1e300), 0x7c00);
  EXPECT_EQ(f64_to_f16(-1e-300), 0x8000);
}

TEST(Float16, IsTheNearestOfAll) {
  std::mt19937 random(3);
  for (int i = 0; i < 200000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!(std::fabs(value) < 65520.0F)) continue;
    const std::uint16_t bits = f32_to_f16(value);
    const double distance =
        std::fabs(static_cast<double>(f16_to_f32(bits)) - static_cast<double>(value));
    for (const int step : {-1, 1}) {
      const auto neighbour = static_cast<std::uint16_t>(bits + step);
      if (is_nan(neighbour, 0x7bff) || (neighbour & 0x8000U) != (bits & 0x8000U)) continue;
      const double other =
          std::fabs(static_cast<double>(f16_to_f32(neighbour)) - static_cast<double>(value));
      ASSERT_TRUE(distance < other || (distance == other && bits % 2 == 0)) << value;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn
