// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/functions.h"

// Elementwise kernels, and those that reduce along a row. A row is always summed in 16 chains that
// a fixed tree joins, whatever the vectors of the machine, so that every set gives the same bits.
namespace sealpack::nn::kernels {

inline constexpr std::size_t kChains = 16;

template <class V, class Function>
SEALPACK_INLINE void combine(const float* a, const float* b, float* out, std::size_t count,
                             Function function) {
  for_each_vector<V>(count, [&](std::size_t i, std::size_t n) {
    store_up_to<V>(out + i, function(load_up_to<V>(a + i, n), load_up_to<V>(b + i, n)), n);
  });
}

template <class V>
void add(const float* a, const float* b, float* out, std::size_t count) {
  combine<V>(a, b, out, count, [](auto x, auto y) { return V::add(x, y); });
}
template <class V>
void subtract(const float* a, const float* b, float* out, std::size_t count) {
  combine<V>(a, b, out, count, [](auto x, auto y) { return V::sub(x, y); });
}
template <class V>
void multiply(const float* a, const float* b, float* out, std::size_t count) {
  combine<V>(a, b, out, count, [](auto x, auto y) { return V::mul(x, y); });
}
template <class V>
void divide(const float* a, const float* b, float* out, std::size_t count) {
  combine<V>(a, b, out, count, [](auto x, auto y) { return V::div(x, y); });
}

template <class V>
void scale_shift(const float* in, std::size_t rows, std::size_t channels, const float* scale,
                 const float* shift, float* out) {
  for (std::size_t row = 0; row < rows; ++row, in += channels, out += channels) {
    for_each_vector<V>(channels, [&](std::size_t i, std::size_t n) {
      store_up_to<V>(out + i,
                     V::fma(load_up_to<V>(in + i, n), load_up_to<V>(scale + i, n),
                            load_up_to<V>(shift + i, n)),
                     n);
    });
  }
}

template <class V>
void sum_rows(const float* in, std::size_t pixels, std::size_t channels, float* sums) {
  for_each_vector<V>(channels, [&](std::size_t channel, std::size_t n) {
    typename V::F sum = load_up_to<V>(sums + channel, n);
    const float* at = in + channel;
    for (std::size_t i = 0; i < pixels; ++i, at += channels) {
      sum = V::add(sum, load_up_to<V>(at, n));
    }
    store_up_to<V>(sums + channel, sum, n);
  });
}

// Lane j with lane j + half, and so on until one is left.
template <class V, std::size_t kHalf, class Fold>
SEALPACK_INLINE float fold_lanes(typename V::F lanes, Fold fold) {
  if constexpr (kHalf == 0) {
    return V::first_lane(lanes);
  } else {
    return fold_lanes<V, kHalf / 2>(fold(lanes, V::template upper<kHalf>(lanes)), fold);
  }
}

// Folds term(offset, lanes) of every element into kChains chains: element i goes to chain i % 16.
// What the last vectors lack is `nothing`.
template <class V, class Term, class Fold>
SEALPACK_INLINE float fold_row(std::size_t width, float nothing, Term term, Fold fold) {
  constexpr std::size_t kVectors = kChains / V::kLanes;
  typename V::F chains[kVectors];
  SEALPACK_UNROLL
  for (std::size_t j = 0; j < kVectors; ++j) chains[j] = V::set(nothing);
  std::size_t i = 0;
  for (; i + kChains <= width; i += kChains) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      chains[j] = fold(chains[j], term(i + j * V::kLanes, V::kLanes));
    }
  }
  SEALPACK_UNROLL
  for (std::size_t j = 0; j < kVectors; ++j) {
    const std::size_t at = i + j * V::kLanes;
    typename V::F rest = V::set(nothing);
    if (at < width) {
      const std::size_t n = smaller(V::kLanes, width - at);
      rest = V::first_lanes(term(at, n), n, rest);
    }
    if (i < width) chains[j] = fold(chains[j], rest);
  }
  SEALPACK_UNROLL
  for (std::size_t half = kVectors / 2; half != 0; half /= 2) {
    SEALPACK_UNROLL
    for (std::size_t j = 0; j < half; ++j) chains[j] = fold(chains[j], chains[j + half]);
  }
  return fold_lanes<V, V::kLanes / 2>(chains[0], fold);
}

template <class V, class Term>
SEALPACK_INLINE float sum_row(std::size_t width, Term term) {
  return fold_row<V>(width, 0.0F, term, [](auto a, auto b) { return V::add(a, b); });
}

template <class V>
void softmax_row(const float* in, std::size_t width, float* out) {
  const float most = fold_row<V>(
      width, -__builtin_inff(),
      [in](std::size_t i, std::size_t n) { return load_up_to<V>(in + i, n); },
      [](auto a, auto b) { return V::max(a, b); });
  const float total = sum_row<V>(width, [&](std::size_t i, std::size_t n) {
    const typename V::F e = exp_of<V>(V::sub(load_up_to<V>(in + i, n), V::set(most)));
    store_up_to<V>(out + i, e, n);
    return e;
  });
  map<V>(out, out, width, [total](typename V::F e) { return V::div(e, V::set(total)); });
}

template <class V>
void softmax(const float* in, std::size_t rows, std::size_t width, float* out) {
  for (std::size_t row = 0; row < rows; ++row)
    softmax_row<V>(in + row * width, width, out + row * width);
}

template <class V>
void layer_norm_row(const float* in, std::size_t width, const float* scale, const float* bias,
                    float epsilon, float* out) {
  using F = typename V::F;
  const auto count = static_cast<float>(width);
  const float mean =
      sum_row<V>(width, [in](std::size_t i, std::size_t n) { return load_up_to<V>(in + i, n); }) /
      count;
  const float variance = sum_row<V>(width,
                                    [in, mean](std::size_t i, std::size_t n) {
                                      const F centred =
                                          V::sub(load_up_to<V>(in + i, n), V::set(mean));
                                      return V::mul(centred, centred);
                                    }) /
                         count;
  const float norm = 1.0F / __builtin_sqrtf(variance + epsilon);
  for_each_vector<V>(width, [&](std::size_t i, std::size_t n) {
    F value = V::mul(V::sub(load_up_to<V>(in + i, n), V::set(mean)), V::set(norm));
    if (scale != nullptr) value = V::mul(value, load_up_to<V>(scale + i, n));
    if (bias != nullptr) value = V::add(value, load_up_to<V>(bias + i, n));
    store_up_to<V>(out + i, value, n);
  });
}

template <class V>
void layer_norm(const float* in, std::size_t rows, std::size_t width, const float* scale,
                const float* bias, float epsilon, float* out) {
  for (std::size_t row = 0; row < rows; ++row) {
    layer_norm_row<V>(in + row * width, width, scale, bias, epsilon, out + row * width);
  }
}

}  // namespace sealpack::nn::kernels
