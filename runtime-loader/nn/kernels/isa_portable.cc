// SPDX-License-Identifier: Apache-2.0
// Four lanes in the vector extension of GCC and Clang: what the compiler's baseline offers.
#include "runtime-loader/nn/kernels/make_table.h"

namespace sealpack::nn::kernels {
namespace {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = std::int32_t __attribute__((vector_size(16)));

// IEEE 754 half to single, by bits.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, exponent = (half >> 10) & 31U;
  std::uint32_t fraction = half & 0x3FFU, bits = 0;
  if (exponent == 31) {
    bits = 0x7F800000U | fraction << 13 | (fraction != 0 ? 0x400000U : 0U);  // NaN is made quiet
  } else if (exponent != 0) {
    bits = (exponent + 112) << 23 | fraction << 13;
  } else if (fraction != 0) {
    std::uint32_t shifted = 113;
    for (; (fraction & 0x400U) == 0; --shifted) fraction <<= 1;
    bits = shifted << 23 | (fraction & 0x3FFU) << 13;
  }
  bits |= sign;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

struct Portable {
  using F = Float4;
  using I = Int4;
  using M = Int4;
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kPanelVectors = 2;
  static constexpr std::size_t kTileRows = 4;
  static constexpr std::size_t kAccumulators = 8;

  static F zero() { return F{}; }
  static F set(float x) { return F{x, x, x, x}; }
  static F load(const float* p) {
    F x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
  }
  static void store(float* p, F x) { __builtin_memcpy(p, &x, sizeof x); }
  static F load_part(const float* p, std::size_t n) {
    F x{};
    for (std::size_t i = 0; i < n; ++i) x[i] = p[i];
    return x;
  }
  static void store_part(float* p, F x, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) p[i] = x[i];
  }

  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F fma(F a, F b, F c) {
#ifdef __FP_FAST_FMAF
    for (std::size_t i = 0; i < kLanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
  }
  static F max(F a, F b) {
    return select(b < a, a, b);
  }
  static F min(F a, F b) {
    return select(a < b, a, b);
  }
  static M less(F a, F b) {
    return a < b;
  }
  static F first_lanes(F x, std::size_t n, F other) {
    for (std::size_t i = n; i < kLanes; ++i) x[i] = other[i];
    return x;
  }
  static float first_lane(F x) {
    return x[0];
  }
  template <std::size_t kHalf>
  static F upper(F x) {
    for (std::size_t i = 0; i < kHalf; ++i) x[i] = x[i + kHalf];
    return x;
  }
  static F select(M m, F a, F b) {
    return from_bits((m & bits(a)) | (~m & bits(b)));
  }
  static F abs(F x) {
    return from_bits(bits(x) & 0x7FFFFFFF);
  }
  static F copy_sign(F size, F sign) {
    return from_bits((bits(size) & 0x7FFFFFFF) | (bits(sign) & ~set_bits(0x7FFFFFFF)));
  }

  static I bits(F x) {
    return reinterpret_cast<I>(x);
  }
  static F from_bits(I x) {
    return reinterpret_cast<F>(x);
  }
  static I set_bits(std::int32_t x) {
    return I{x, x, x, x};
  }
  static I add_bits(I a, I b) {
    return a + b;
  }
  static I sub_bits(I a, I b) {
    return a - b;
  }
  static I halve(I x) {
    return x >> 1;
  }
  static I to_exponent(I x) {
    return x << 23;
  }

  static F load_f16(const void* p) {
    std::uint16_t lanes[kLanes];
    __builtin_memcpy(lanes, p, sizeof lanes);
    return F{from_half(lanes[0]), from_half(lanes[1]), from_half(lanes[2]), from_half(lanes[3])};
  }
  static F load_i8(const void* p) {
    const auto* lanes = static_cast<const std::int8_t*>(p);
    F x{};
    for (std::size_t i = 0; i < kLanes; ++i) x[i] = static_cast<float>(lanes[i]);
    return x;
  }
  static F load_u8(const void* p) {
    const auto* lanes = static_cast<const std::uint8_t*>(p);
    F x{};
    for (std::size_t i = 0; i < kLanes; ++i) x[i] = static_cast<float>(lanes[i]);
    return x;
  }

  static void transpose(F (&r)[kLanes]) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      for (std::size_t j = i + 1; j < kLanes; ++j) {
        const float x = r[i][j];
        r[i][j] = r[j][i];
        r[j][i] = x;
      }
    }
  }
};

}  // namespace

const Kernels& portable_kernels() {
  static constexpr Kernels kTable = make_table<Portable>(Isa::kPortable, "portable");
  return kTable;
}

}  // namespace sealpack::nn::kernels
