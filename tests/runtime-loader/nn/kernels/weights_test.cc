// SPDX-License-Identifier: Apache-2.0
// Stored weights of every type to floats, and into panels.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/runtime-loader/nn/kernels/buffers.h"

namespace sealpack::nn::kernels {
namespace {

using testing::Guarded;
using testing::Random;

constexpr WeightType kTypes[] = {WeightType::kF32, WeightType::kF16, WeightType::kI8,
                                 WeightType::kU8};

std::size_t size_of(WeightType type) {
  return type == WeightType::kF32 ? 4 : type == WeightType::kF16 ? 2 : 1;
}

// A half by its definition.
float half_value(std::uint16_t half) {
  const int exponent = (half >> 10) & 31, fraction = half & 1023;
  const float sign = (half & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31)
    return fraction != 0 ? std::nanf("") : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

// Stored weights with their scales; value() is one of them by the rule of the header.
struct Stored {
  Stored(Random& random, WeightType type, std::size_t count, std::size_t columns)
      : bytes(count * size_of(type) + 1), scale(random.values(columns)), zero_point(columns) {
    format.type = type;
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.between(0, 255));
    if (type == WeightType::kF32 && count != 0) {
      const std::vector<float> values = random.values(count);
      std::memcpy(data(), values.data(), count * sizeof(float));
    }
    for (std::uint8_t& zero : zero_point) zero = static_cast<std::uint8_t>(random.between(0, 255));
    format.per_column = random.coin();
    if (random.coin()) format.scale = scale.data();
    if (random.coin()) format.zero_point = zero_point.data();
  }
  // Off by one byte: what is read from a file need not be aligned.
  std::uint8_t* data() { return bytes.data() + 1; }
  const std::uint8_t* data() const { return bytes.data() + 1; }

  float value(std::size_t at, std::size_t column) const {
    const std::uint8_t* p = data() + at * size_of(format.type);
    float single;
    std::uint16_t half;
    if (format.type == WeightType::kF32) return std::memcpy(&single, p, sizeof single), single;
    if (format.type == WeightType::kF16)
      return std::memcpy(&half, p, sizeof half), half_value(half);
    const auto number = [&](std::uint8_t byte) {
      return format.type == WeightType::kI8 ? static_cast<float>(static_cast<std::int8_t>(byte))
                                            : static_cast<float>(byte);
    };
    const std::size_t which = format.per_column ? column : 0;
    const float zero = format.zero_point != nullptr ? number(zero_point[which]) : 0.0F;
    return (number(*p) - zero) * (format.scale != nullptr ? scale[which] : 1.0F);
  }

  std::vector<std::uint8_t> bytes;
  std::vector<float> scale;
  std::vector<std::uint8_t> zero_point;
  WeightFormat format;
};

bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

TEST(Widen, GivesEveryHalfItsValue) {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  WeightFormat format;
  format.type = WeightType::kF16;
  for (const Kernels* kernels : testing::all_kernels()) {
    std::vector<float> out(halves.size());
    kernels->widen(halves.data(), format, halves.size(), out.data());
    for (std::size_t i = 0; i < halves.size(); ++i)
      ASSERT_TRUE(same(out[i], half_value(halves[i]))) << kernels->name << ' ' << i;
    EXPECT_TRUE(std::signbit(out[0x8000])) << kernels->name;
  }
}

TEST(Widen, IsRightForEveryTypeAndCount) {
  Random random(41);
  for (const WeightType type : kTypes) {
    for (std::size_t count = 0; count < 70; ++count) {
      const Stored stored(random, type, count, 1);
      for (const Kernels* kernels : testing::all_kernels()) {
        Guarded out(count);
        kernels->widen(stored.data(), stored.format, count, out.data());
        ASSERT_TRUE(out.is_intact()) << kernels->name;
        for (std::size_t i = 0; i < count; ++i)
          ASSERT_TRUE(same(out[i], stored.value(i, 0))) << kernels->name;
      }
    }
  }
}

// Checks packed[column / panel][k][column % panel] against expected(column, k), zeros after the
// last.
template <class Expected>
void expect_packed(const Kernels& kernels, const Guarded& packed, std::size_t columns,
                   std::size_t inner, Expected expected) {
  ASSERT_TRUE(packed.is_intact()) << kernels.name;
  for (std::size_t at = 0; at < packed.size(); ++at) {
    const std::size_t column = at / (kernels.panel * inner) * kernels.panel + at % kernels.panel;
    const std::size_t k = at / kernels.panel % inner;
    const float value = column < columns ? expected(column, k) : 0.0F;
    ASSERT_TRUE(same(packed[at], value)) << kernels.name << " column " << column << " inner " << k;
  }
}

std::size_t packed_size(const Kernels& kernels, std::size_t columns, std::size_t inner) {
  return (columns + kernels.panel - 1) / kernels.panel * kernels.panel * inner;
}

TEST(PackColumns, PutsEveryWeightOfEveryTypeInItsPlace) {
  Random random(42);
  for (int round = 0; round < 200; ++round) {
    const WeightType type = kTypes[round % 4];
    const std::size_t columns = random.between(1, 80), channels = random.between(1, 40);
    const std::size_t taps = random.coin() ? 1 : random.between(1, 12), inner = channels * taps;
    const std::size_t stride = inner + random.between(0, 3);
    const Stored stored(random, type, columns * stride, columns);
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded packed(packed_size(*kernels, columns, inner));
      kernels->pack_columns(stored.data(), stored.format, stride, columns, inner, taps,
                            packed.data());
      ASSERT_NO_FATAL_FAILURE(
          expect_packed(*kernels, packed, columns, inner, [&](std::size_t column, std::size_t k) {
            return stored.value(column * stride + k % channels * taps + k / channels, column);
          }));
    }
  }
}

TEST(PackRows, PutsEveryWeightOfEveryTypeInItsPlace) {
  Random random(43);
  for (int round = 0; round < 200; ++round) {
    const WeightType type = kTypes[round % 4];
    const std::size_t columns = random.between(1, 80), inner = random.between(1, 60);
    const std::size_t stride = columns + random.between(0, 3);
    const Stored stored(random, type, inner * stride, columns);
    for (const Kernels* kernels : testing::all_kernels()) {
      Guarded packed(packed_size(*kernels, columns, inner));
      kernels->pack_rows(stored.data(), stored.format, stride, columns, inner, packed.data());
      ASSERT_NO_FATAL_FAILURE(
          expect_packed(*kernels, packed, columns, inner, [&](std::size_t column, std::size_t k) {
            return stored.value(k * stride + column, column);
          }));
    }
  }
}

// A convolution with transformed weights is tested elsewhere; here only that the stored type does
// not matter.
TEST(WinogradPack, OfOtherTypesIsThatOfTheSameFloats) {
  Random random(44);
  for (int round = 0; round < 60; ++round) {
    const std::size_t columns = random.between(1, 70), channels = random.between(1, 40);
    Stored stored(random, kTypes[1 + round % 3], columns * channels * 9, columns);
    std::vector<float> floats(columns * channels * 9);
    for (std::size_t i = 0; i < floats.size(); ++i) floats[i] = stored.value(i, i / (channels * 9));
    for (const Kernels* kernels : testing::all_kernels()) {
      const std::size_t size = kernels->winograd_size(channels, columns);
      Guarded packed(size), expected(size);
      kernels->winograd_pack(stored.data(), stored.format, columns, channels, packed.data());
      kernels->winograd_pack(floats.data(), {}, columns, channels, expected.data());
      ASSERT_TRUE(packed.is_intact()) << kernels->name;
      ASSERT_EQ(testing::first_difference(packed.values(), expected.values()), -1) << kernels->name;
    }
  }
}

}  // namespace
}  // namespace sealpack::nn::kernels
