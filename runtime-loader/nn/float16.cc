// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/float16.h"

#include <bit>
#include <cmath>

namespace sealpack::nn {
namespace {

// A binary float format of 16 bits: sign, exponent, fraction.
struct Format {
  int fraction_bits;
  int bias;
  std::uint16_t infinity;
  std::uint16_t nan;
};
constexpr Format kBinary16 = {10, 15, 0x7c00, 0x7e00};
constexpr Format kBfloat16 = {7, 127, 0x7f80, 0x7fc0};

// A binary32 is exact as a double, so this is the one rounding for both.
std::uint16_t round_to(const Format& format, double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000U : 0U);
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | format.nan);
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | format.infinity);
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
  // Exponent of the last fraction bit; subnormal numbers share that of the smallest normal one.
  const int least = 1 - format.bias - format.fraction_bits;
  int unit = exponent - 1 - format.fraction_bits;
  if (magnitude == 0 || unit < least) unit = least;
  // Ties to even in the default rounding mode. The sum below carries into the exponent as it
  // should.
  const auto fraction = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, -unit)));
  const std::uint32_t hidden = std::uint32_t{1} << static_cast<unsigned>(format.fraction_bits);
  const auto biased = static_cast<std::uint32_t>(unit - least);
  if (biased > 0xffU) return static_cast<std::uint16_t>(sign | format.infinity);
  const std::uint32_t bits = biased * hidden + fraction;
  if (bits >= format.infinity) return static_cast<std::uint16_t>(sign | format.infinity);
  return static_cast<std::uint16_t>(sign | bits);
}

}  // namespace

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | fraction << 13U);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23U | fraction << 13U);
  const float subnormal = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -subnormal : subnormal;
}

std::uint16_t f32_to_f16(float value) {
  return round_to(kBinary16, static_cast<double>(value));
}

std::uint16_t f64_to_f16(double value) {
  return round_to(kBinary16, value);
}

float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t f32_to_bf16(float value) {
  return round_to(kBfloat16, static_cast<double>(value));
}

std::uint16_t f64_to_bf16(double value) {
  return round_to(kBfloat16, value);
}

}  // namespace sealpack::nn
