// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA and F16C. No header of the standard library here; isa_avx512.cc says why.
#include <immintrin.h>

#include "runtime-loader/nn/kernels/make_table.h"

namespace sealpack::nn::kernels {
namespace {

// Sixteen words: loading eight from [8 - n] gives a mask of n lanes.
alignas(64) constexpr std::int32_t kMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

struct Avx2 {
  using F = __m256;
  using I = __m256i;
  using M = __m256;
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kPanelVectors = 2;
  static constexpr std::size_t kTileRows = 6;
  static constexpr std::size_t kAccumulators = 12;

  static I first(std::size_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMasks + 8 - n));
  }
  static F zero() { return _mm256_setzero_ps(); }
  static F set(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static F load_part(const float* p, std::size_t n) { return _mm256_maskload_ps(p, first(n)); }
  static void store_part(float* p, F x, std::size_t n) { _mm256_maskstore_ps(p, first(n), x); }

  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static M less(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  static F select(M m, F a, F b) { return _mm256_blendv_ps(b, a, m); }
  static F first_lanes(F x, std::size_t n, F other) {
    return n >= kLanes ? x : _mm256_blendv_ps(other, x, _mm256_castsi256_ps(first(n)));
  }
  static float first_lane(F x) { return _mm256_cvtss_f32(x); }
  template <std::size_t kHalf>
  static F upper(F x) {
    if constexpr (kHalf == 4) return _mm256_permute2f128_ps(x, x, 0x01);
    if constexpr (kHalf == 2) return _mm256_permute_ps(x, 0x4E);
    return _mm256_permute_ps(x, 0xB1);
  }
  static F abs(F x) { return _mm256_andnot_ps(set(-0.0F), x); }
  static F copy_sign(F size, F sign) {
    return _mm256_or_ps(abs(size), _mm256_and_ps(set(-0.0F), sign));
  }

  static I bits(F x) { return _mm256_castps_si256(x); }
  static F from_bits(I x) { return _mm256_castsi256_ps(x); }
  static I set_bits(std::int32_t x) { return _mm256_set1_epi32(x); }
  static I add_bits(I a, I b) { return _mm256_add_epi32(a, b); }
  static I sub_bits(I a, I b) { return _mm256_sub_epi32(a, b); }
  static I halve(I x) { return _mm256_srai_epi32(x, 1); }
  static I to_exponent(I x) { return _mm256_slli_epi32(x, 23); }

  static F load_f16(const void* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  static F load_i8(const void* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }
  static F load_u8(const void* p) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
  }

  static void transpose(F (&r)[kLanes]) {
    F t[kLanes];
    for (std::size_t i = 0; i < kLanes; i += 4) {
      const F a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
      const F c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]),
              d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
      t[i] = _mm256_shuffle_ps(a, c, 0x44);
      t[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
      t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
      t[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
      r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
  }
};

}  // namespace

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = make_table<Avx2>(Isa::kAvx2, "avx2");
  return kTable;
}

}  // namespace sealpack::nn::kernels
