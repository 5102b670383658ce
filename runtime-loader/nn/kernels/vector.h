// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Every kernel is a template over a vector type V that isa_*.cc defines in an unnamed namespace, so
// that each instantiation stays inside the file that was compiled with the flags it needs. For the
// same reason nothing here uses the standard library. V offers
//
//   F, I, M           a register of floats, of 32-bit integers, of comparison results
//   kLanes            floats in a register
//   kPanelVectors     registers that make one row of a packed panel
//   kTileRows         most rows of the micro-kernel; kAccumulators: registers it may sum in
//   load_part, store_part   the first n < kLanes lanes; what is not loaded is 0
//   fma(a, b, c)      a * b + c, rounded once (twice in portable code without the instruction)
//   max(a, b)         a > b ? a : b, so a NaN in b comes out; min likewise
//   first_lanes(x, n, y)    lanes below n of x, the others of y
//   upper<h>         lane i is what was lane i + h, for i < h
//   halve, to_exponent      arithmetic shift right by 1, shift left by 23
//   transpose         kLanes registers of kLanes floats
namespace sealpack::nn::kernels {

#if defined(__clang__)
#define SEALPACK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SEALPACK_UNROLL _Pragma("GCC unroll 32")
#endif
#define SEALPACK_INLINE [[gnu::always_inline]] inline

template <class V>
inline constexpr std::size_t kPanel = V::kLanes* V::kPanelVectors;

SEALPACK_INLINE constexpr std::size_t smaller(std::size_t a, std::size_t b) {
  return a < b ? a : b;
}
SEALPACK_INLINE constexpr std::size_t larger(std::size_t a, std::size_t b) {
  return a < b ? b : a;
}
SEALPACK_INLINE constexpr std::size_t divide_up(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}
SEALPACK_INLINE constexpr std::size_t round_up(std::size_t a, std::size_t b) {
  return divide_up(a, b) * b;
}

// n of kLanes lanes, whichever is less.
template <class V>
SEALPACK_INLINE typename V::F load_up_to(const float* p, std::size_t n) {
  return n >= V::kLanes ? V::load(p) : V::load_part(p, n);
}
template <class V>
SEALPACK_INLINE void store_up_to(float* p, typename V::F x, std::size_t n) {
  if (n >= V::kLanes) {
    V::store(p, x);
  } else {
    V::store_part(p, x, n);
  }
}

// Calls work(offset, lanes) over `count` floats, kLanes at a time.
template <class V, class Work>
SEALPACK_INLINE void for_each_vector(std::size_t count, Work work) {
  for (std::size_t i = 0; i < count; i += V::kLanes) work(i, smaller(V::kLanes, count - i));
}

}  // namespace sealpack::nn::kernels
