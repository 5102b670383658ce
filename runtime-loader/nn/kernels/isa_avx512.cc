// SPDX-License-Identifier: Apache-2.0
// AVX-512 F, BW, VL, DQ. No header of the standard library here or below: a std:: template compiled
// with these flags could become the copy that the linker keeps for the whole program.
#include <immintrin.h>

#include "runtime-loader/nn/kernels/make_table.h"

namespace sealpack::nn::kernels {
namespace {

// The vector type that every kernel template takes; see vector.h for what it must offer.
struct Avx512 {
  using F = __m512;
  using I = __m512i;
  using M = __mmask16;
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kPanelVectors = 2;
  static constexpr std::size_t kTileRows = 14;
  static constexpr std::size_t kAccumulators = 28;

  static __mmask16 first(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
  static F zero() { return _mm512_setzero_ps(); }
  static F set(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F load_part(const float* p, std::size_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_part(float* p, F x, std::size_t n) { _mm512_mask_storeu_ps(p, first(n), x); }

  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static M less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }
  static F first_lanes(F x, std::size_t n, F other) {
    return n >= kLanes ? x : _mm512_mask_blend_ps(first(n), other, x);
  }
  static float first_lane(F x) { return _mm512_cvtss_f32(x); }
  template <std::size_t kHalf>
  static F upper(F x) {
    if constexpr (kHalf == 8) return _mm512_shuffle_f32x4(x, x, 0x4E);
    if constexpr (kHalf == 4) return _mm512_shuffle_f32x4(x, x, 0xB1);
    if constexpr (kHalf == 2) return _mm512_permute_ps(x, 0x4E);
    return _mm512_permute_ps(x, 0xB1);
  }
  static F abs(F x) { return _mm512_andnot_ps(set(-0.0F), x); }
  static F copy_sign(F size, F sign) {
    return _mm512_or_ps(abs(size), _mm512_and_ps(set(-0.0F), sign));
  }

  static I bits(F x) { return _mm512_castps_si512(x); }
  static F from_bits(I x) { return _mm512_castsi512_ps(x); }
  static I set_bits(std::int32_t x) { return _mm512_set1_epi32(x); }
  static I add_bits(I a, I b) { return _mm512_add_epi32(a, b); }
  static I sub_bits(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I halve(I x) { return _mm512_srai_epi32(x, 1); }
  static I to_exponent(I x) { return _mm512_slli_epi32(x, 23); }

  static F load_f16(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static F load_i8(const void* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static F load_u8(const void* p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }

  // Rows of 4x4 blocks first, then the blocks.
  static void transpose(F (&r)[kLanes]) {
    F t[kLanes];
    for (std::size_t i = 0; i < kLanes; i += 4) {
      const F a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
      const F c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]),
              d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
      t[i] = _mm512_shuffle_ps(a, c, 0x44);
      t[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
      t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
      t[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const F a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
      const F b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xDD);
      const F c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
      const F d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xDD);
      r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
      r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
      r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xDD);
      r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xDD);
    }
  }
};

}  // namespace

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = make_table<Avx512>(Isa::kAvx512, "avx512");
  return kTable;
}

}  // namespace sealpack::nn::kernels
