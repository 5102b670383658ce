// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// The 16-bit formats as bits: IEEE 754 binary16 and bfloat16 (the upper half of a binary32). To
// them by rounding to nearest, ties to even; what is too large becomes infinite, NaN stays NaN.
namespace sealpack::nn {

float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_f16(float value);
std::uint16_t f64_to_f16(double value);  // rounded once
float bf16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);
std::uint16_t f64_to_bf16(double value);  // rounded once

}  // namespace sealpack::nn
