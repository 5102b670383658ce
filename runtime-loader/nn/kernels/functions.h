// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/kernels/vector.h"

// exp, erf, tanh and what is made of them. The coefficients are least-maximum fits (Lawson's
// weights on a Chebyshev basis) for the relative error; each stays below 5e-9 before rounding.
namespace sealpack::nn::kernels {

// c[0] + c[1] x + ... by Horner's rule.
template <class V, std::size_t kCount>
SEALPACK_INLINE typename V::F polynomial(typename V::F x, const float (&c)[kCount]) {
  typename V::F sum = V::set(c[kCount - 1]);
  SEALPACK_UNROLL
  for (std::size_t i = kCount - 1; i > 0; --i) sum = V::fma(sum, x, V::set(c[i - 1]));
  return sum;
}

// x = n ln 2 + r with |r| <= ln 2 / 2.
template <class V>
struct ExpParts {
  typename V::I n;
  typename V::F value;  // e^r
};

template <class V>
SEALPACK_INLINE ExpParts<V> exp_parts(typename V::F x) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const typename V::F magic = V::set(12582912.0F);
  const typename V::F shifted = V::fma(x, V::set(1.44269504F), magic);
  const typename V::F n = V::sub(shifted, magic);
  // ln 2 in two parts; n times the first is exact.
  typename V::F r = V::fma(n, V::set(-0.693359375F), x);
  r = V::fma(n, V::set(2.12194440e-4F), r);
  static constexpr float kTerms[] = {4.9999993432e-01F, 1.6666520397e-01F, 4.1668390831e-02F,
                                     8.3687453200e-03F, 1.3814537894e-03F};
  const typename V::F tail = V::fma(V::mul(r, r), polynomial<V>(r, kTerms), r);
  return {V::sub_bits(V::bits(shifted), V::bits(magic)), V::add(V::set(1.0F), tail)};
}

template <class V>
SEALPACK_INLINE typename V::F power_of_two(typename V::I n) {
  return V::from_bits(V::to_exponent(V::add_bits(n, V::set_bits(127))));
}

// Right to 1 ulp over all floats, denormal results included: hence the scaling in two steps.
template <class V>
SEALPACK_INLINE typename V::F exp_of(typename V::F x) {
  const typename V::F inside = V::min(V::set(89.0F), V::max(V::set(-104.0F), x));
  const ExpParts<V> parts = exp_parts<V>(inside);
  const typename V::I half = V::halve(parts.n);
  return V::mul(V::mul(parts.value, power_of_two<V>(half)),
                power_of_two<V>(V::sub_bits(parts.n, half)));
}

// The same for -87 <= x <= 88.
template <class V>
SEALPACK_INLINE typename V::F exp_of_moderate(typename V::F x) {
  const ExpParts<V> parts = exp_parts<V>(x);
  return V::mul(parts.value, power_of_two<V>(parts.n));
}

template <class V>
SEALPACK_INLINE typename V::F erf_of(typename V::F x) {
  static constexpr float kSmall[] = {1.2837916656e-01F,  -3.7612633537e-01F, 1.1283692430e-01F,
                                     -2.6859227900e-02F, 5.2006088504e-03F,  -8.1378943584e-04F,
                                     8.3497530841e-05F};
  // ln(erfc x) between 0.915 and 4, beyond which erf is 1.
  static constexpr float kLarge[] = {1.7333693427e-04F,  -1.1295084368e+00F, -6.3336005798e-01F,
                                     -1.0826558953e-01F, 2.5110035187e-02F,  -4.1674909250e-03F,
                                     4.3372438993e-04F,  -2.1031123243e-05F};
  const typename V::F size = V::abs(x);
  const typename V::F small = V::fma(x, polynomial<V>(V::mul(x, x), kSmall), x);
  const typename V::F inside = V::min(V::set(4.0F), size);
  const typename V::F far = V::sub(V::set(1.0F), exp_of_moderate<V>(polynomial<V>(inside, kLarge)));
  return V::select(V::less(size, V::set(0.92F)), small, V::copy_sign(far, x));
}

template <class V>
SEALPACK_INLINE typename V::F tanh_of(typename V::F x) {
  static constexpr float kSmall[] = {-3.3333281943e-01F, 1.3331442215e-01F, -5.3739716264e-02F,
                                     2.0639090614e-02F, -5.7049903663e-03F};
  const typename V::F size = V::abs(x), square = V::mul(x, x);
  const typename V::F small = V::fma(V::mul(square, x), polynomial<V>(square, kSmall), x);
  // tanh is 1 from 9.1 on.
  const typename V::F inside = V::min(V::set(10.0F), size);
  const typename V::F e = exp_of_moderate<V>(V::add(inside, inside));
  const typename V::F far = V::sub(V::set(1.0F), V::div(V::set(2.0F), V::add(e, V::set(1.0F))));
  return V::copy_sign(V::select(V::less(size, V::set(0.625F)), small, far), x);
}

// Of e^-|x|, which does not overflow, so that small results keep their precision.
template <class V>
SEALPACK_INLINE typename V::F sigmoid_of(typename V::F x) {
  const typename V::F e = exp_of<V>(V::sub(V::zero(), V::abs(x)));
  const typename V::F top = V::select(V::less(x, V::zero()), e, V::set(1.0F));
  return V::div(top, V::add(V::set(1.0F), e));
}

template <class V>
SEALPACK_INLINE typename V::F gelu_of(typename V::F x) {
  const typename V::F half = V::mul(x, V::set(0.5F));
  return V::fma(half, erf_of<V>(V::mul(x, V::set(0.70710678F))), half);
}

template <class V>
SEALPACK_INLINE typename V::F clip_of(typename V::F x, float low, float high) {
  return V::min(V::set(high), V::max(V::set(low), x));
}

template <class V>
SEALPACK_INLINE typename V::F hard_swish_of(typename V::F x) {
  return V::mul(x, clip_of<V>(V::fma(x, V::set(1.0F / 6.0F), V::set(0.5F)), 0.0F, 1.0F));
}

template <class V>
SEALPACK_INLINE typename V::F leaky_relu_of(typename V::F x, float slope) {
  return V::select(V::less(x, V::zero()), V::mul(x, V::set(slope)), x);
}

// One function of a vector over `count` floats.
template <class V, class Function>
SEALPACK_INLINE void map(const float* in, float* out, std::size_t count, Function function) {
  std::size_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) V::store(out + i, function(V::load(in + i)));
  if (i < count) V::store_part(out + i, function(V::load_part(in + i, count - i)), count - i);
}

template <class V>
void activate(Activation activation, float low, float high, const float* in, float* out,
              std::size_t count) {
  using F = typename V::F;
  switch (activation) {
    case Activation::kNone:
      if (in != out) map<V>(in, out, count, [](F x) { return x; });
      return;
    case Activation::kRelu:
      return map<V>(in, out, count, [](F x) { return V::max(V::zero(), x); });
    case Activation::kClip:
      return map<V>(in, out, count, [low, high](F x) { return clip_of<V>(x, low, high); });
    case Activation::kSigmoid:
      return map<V>(in, out, count, [](F x) { return sigmoid_of<V>(x); });
    case Activation::kTanh:
      return map<V>(in, out, count, [](F x) { return tanh_of<V>(x); });
    case Activation::kGelu:
      return map<V>(in, out, count, [](F x) { return gelu_of<V>(x); });
    case Activation::kSilu:
      return map<V>(in, out, count, [](F x) { return V::mul(x, sigmoid_of<V>(x)); });
    case Activation::kHardSwish:
      return map<V>(in, out, count, [](F x) { return hard_swish_of<V>(x); });
    case Activation::kLeakyRelu:
      return map<V>(in, out, count, [low](F x) { return leaky_relu_of<V>(x, low); });
  }
}

template <class V>
void exp_all(const float* in, float* out, std::size_t count) {
  map<V>(in, out, count, [](typename V::F x) { return exp_of<V>(x); });
}
template <class V>
void erf_all(const float* in, float* out, std::size_t count) {
  map<V>(in, out, count, [](typename V::F x) { return erf_of<V>(x); });
}

// The epilogue of outputs that begin elsewhere.
SEALPACK_INLINE Epilogue at_offset(const Epilogue& finish, std::size_t row_offset,
                                   std::size_t column) {
  Epilogue moved = finish;
  if (finish.bias != nullptr) moved.bias = finish.bias + column;
  if (finish.residual != nullptr) moved.residual = finish.residual + row_offset + column;
  return moved;
}

}  // namespace sealpack::nn::kernels
