// SPDX-License-Identifier: Apache-2.0
// NEON of 64-bit Arm, which every such processor has.
#include <arm_neon.h>

#include "runtime-loader/nn/kernels/make_table.h"

namespace sealpack::nn::kernels {
namespace {

struct Neon {
  using F = float32x4_t;
  using I = int32x4_t;
  using M = uint32x4_t;
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kPanelVectors = 4;
  static constexpr std::size_t kTileRows = 6;
  static constexpr std::size_t kAccumulators = 24;

  static F zero() { return vdupq_n_f32(0); }
  static F set(float x) { return vdupq_n_f32(x); }
  static F load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F x) { vst1q_f32(p, x); }
  static F load_part(const float* p, std::size_t n) {
    float lanes[kLanes] = {};
    for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
    return vld1q_f32(lanes);
  }
  static void store_part(float* p, F x, std::size_t n) {
    float lanes[kLanes];
    vst1q_f32(lanes, x);
    for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
  }

  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  // Not vmaxq_f32, which has its own mind about NaN and -0.
  static F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static M less(F a, F b) { return vcltq_f32(a, b); }
  static F select(M m, F a, F b) { return vbslq_f32(m, a, b); }
  static F first_lanes(F x, std::size_t n, F other) {
    const std::uint32_t indexes[kLanes] = {0, 1, 2, 3};
    return vbslq_f32(vcltq_u32(vld1q_u32(indexes), vdupq_n_u32(static_cast<std::uint32_t>(n))), x,
                     other);
  }
  static float first_lane(F x) { return vgetq_lane_f32(x, 0); }
  template <std::size_t kHalf>
  static F upper(F x) {
    return vextq_f32(x, x, kHalf);
  }
  static F abs(F x) { return vabsq_f32(x); }
  static F copy_sign(F size, F sign) { return vbslq_f32(vdupq_n_u32(0x80000000U), sign, size); }

  static I bits(F x) { return vreinterpretq_s32_f32(x); }
  static F from_bits(I x) { return vreinterpretq_f32_s32(x); }
  static I set_bits(std::int32_t x) { return vdupq_n_s32(x); }
  static I add_bits(I a, I b) { return vaddq_s32(a, b); }
  static I sub_bits(I a, I b) { return vsubq_s32(a, b); }
  static I halve(I x) { return vshrq_n_s32(x, 1); }
  static I to_exponent(I x) { return vshlq_n_s32(x, 23); }

  static F load_f16(const void* p) {
    std::uint16_t lanes[kLanes];
    __builtin_memcpy(lanes, p, sizeof lanes);
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(lanes)));
  }
  static F load_i8(const void* p) {
    std::int8_t lanes[8] = {};
    __builtin_memcpy(lanes, p, kLanes);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vld1_s8(lanes)))));
  }
  static F load_u8(const void* p) {
    std::uint8_t lanes[8] = {};
    __builtin_memcpy(lanes, p, kLanes);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(lanes)))));
  }

  static void transpose(F (&r)[kLanes]) {
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
  }
};

}  // namespace

const Kernels& neon_kernels() {
  static constexpr Kernels kTable = make_table<Neon>(Isa::kNeon, "neon");
  return kTable;
}

}  // namespace sealpack::nn::kernels
