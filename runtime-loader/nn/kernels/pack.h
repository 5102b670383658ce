// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/kernels/kernels.h"
#include "runtime-loader/nn/kernels/vector.h"

// Stored weights, of any type, to floats in panels.
namespace sealpack::nn::kernels {

template <class V, WeightType kType>
SEALPACK_INLINE typename V::F load_stored(const std::uint8_t* p) {
  if constexpr (kType == WeightType::kF32) {
    float lanes[V::kLanes];  // the bytes need not be aligned
    __builtin_memcpy(lanes, p, sizeof lanes);
    return V::load(lanes);
  } else if constexpr (kType == WeightType::kF16) {
    return V::load_f16(p);
  } else if constexpr (kType == WeightType::kI8) {
    return V::load_i8(p);
  } else {
    return V::load_u8(p);
  }
}

template <WeightType kType>
inline constexpr std::size_t kStoredSize = kType == WeightType::kF32   ? 4
                                           : kType == WeightType::kF16 ? 2
                                                                       : 1;

template <class V, WeightType kType>
SEALPACK_INLINE typename V::F load_stored_up_to(const std::uint8_t* p, std::size_t n) {
  if (n >= V::kLanes) return load_stored<V, kType>(p);
  std::uint8_t lanes[V::kLanes * kStoredSize<kType>] = {};
  __builtin_memcpy(lanes, p, n * kStoredSize<kType>);
  return load_stored<V, kType>(lanes);
}

template <WeightType kType>
SEALPACK_INLINE float zero_point_at(const WeightFormat& format, std::size_t column) {
  if (format.zero_point == nullptr) return 0.0F;
  const std::uint8_t stored = format.zero_point[format.per_column ? column : 0];
  if constexpr (kType == WeightType::kI8)
    return static_cast<float>(static_cast<std::int8_t>(stored));
  return static_cast<float>(stored);
}
SEALPACK_INLINE float scale_at(const WeightFormat& format, std::size_t column) {
  if (format.scale == nullptr) return 1.0F;
  return format.scale[format.per_column ? column : 0];
}

// A vector of stored weights that share column `column`.
template <class V, WeightType kType>
SEALPACK_INLINE typename V::F to_weights(typename V::F stored, const WeightFormat& format,
                                         std::size_t column) {
  if constexpr (kType == WeightType::kF32 || kType == WeightType::kF16) return stored;
  const typename V::F centred = V::sub(stored, V::set(zero_point_at<kType>(format, column)));
  return V::mul(centred, V::set(scale_at(format, column)));
}

// kLanes columns from `column` on and kLanes inner indexes from `at` on, transposed: block[i] holds
// inner index at + i of all columns. What does not exist is 0.
template <class V, WeightType kType>
SEALPACK_INLINE void load_block(const std::uint8_t* stored, const WeightFormat& format,
                                std::size_t stride, std::size_t columns, std::size_t inner,
                                std::size_t column, std::size_t at,
                                typename V::F (&block)[V::kLanes]) {
  const std::size_t n = smaller(V::kLanes, inner - at);
  for (std::size_t i = 0; i < V::kLanes; ++i) {
    if (column + i >= columns) {
      block[i] = V::zero();
      continue;
    }
    const std::uint8_t* p = stored + ((column + i) * stride + at) * kStoredSize<kType>;
    block[i] = to_weights<V, kType>(load_stored_up_to<V, kType>(p, n), format, column + i);
  }
  V::transpose(block);
}

template <class V, WeightType kType>
void pack_columns_of(const std::uint8_t* stored, const WeightFormat& format, std::size_t stride,
                     std::size_t columns, std::size_t inner, std::size_t taps, float* packed) {
  const std::size_t channels = inner / taps;
  for (std::size_t panel = 0; panel < columns; panel += kPanel<V>, packed += inner * kPanel<V>) {
    std::size_t channel = 0, tap = 0;  // of inner index `at`
    for (std::size_t at = 0; at < inner; at += V::kLanes) {
      const std::size_t n = smaller(V::kLanes, inner - at);
      std::size_t next_channel = channel, next_tap = tap;
      for (std::size_t j = 0; j < V::kPanelVectors; ++j) {
        typename V::F block[V::kLanes];
        load_block<V, kType>(stored, format, stride, columns, inner, panel + j * V::kLanes, at,
                             block);
        next_channel = channel;
        next_tap = tap;
        for (std::size_t i = 0; i < n; ++i) {
          V::store(packed + (next_tap * channels + next_channel) * kPanel<V> + j * V::kLanes,
                   block[i]);
          if (++next_tap == taps) {
            next_tap = 0;
            ++next_channel;
          }
        }
      }
      channel = next_channel;
      tap = next_tap;
    }
  }
}

template <class V>
void pack_columns(const void* stored, const WeightFormat& format, std::size_t stride,
                  std::size_t columns, std::size_t inner, std::size_t taps, float* packed) {
  const auto* bytes = static_cast<const std::uint8_t*>(stored);
  switch (format.type) {
    case WeightType::kF32:
      return pack_columns_of<V, WeightType::kF32>(bytes, format, stride, columns, inner, taps,
                                                  packed);
    case WeightType::kF16:
      return pack_columns_of<V, WeightType::kF16>(bytes, format, stride, columns, inner, taps,
                                                  packed);
    case WeightType::kI8:
      return pack_columns_of<V, WeightType::kI8>(bytes, format, stride, columns, inner, taps,
                                                 packed);
    case WeightType::kU8:
      return pack_columns_of<V, WeightType::kU8>(bytes, format, stride, columns, inner, taps,
                                                 packed);
  }
}

// The zero points and scales of kLanes columns side by side.
template <class V, WeightType kType>
SEALPACK_INLINE void load_scales(const WeightFormat& format, std::size_t column,
                                 std::size_t columns, typename V::F& zero_point,
                                 typename V::F& scale) {
  float zeros[V::kLanes] = {}, scales[V::kLanes] = {};
  for (std::size_t i = 0; i < V::kLanes && column + i < columns; ++i) {
    zeros[i] = zero_point_at<kType>(format, column + i);
    scales[i] = scale_at(format, column + i);
  }
  zero_point = V::load(zeros);
  scale = V::load(scales);
}

template <class V, WeightType kType>
void pack_rows_of(const std::uint8_t* stored, const WeightFormat& format, std::size_t stride,
                  std::size_t columns, std::size_t inner, float* packed) {
  for (std::size_t panel = 0; panel < columns; panel += kPanel<V>, packed += inner * kPanel<V>) {
    for (std::size_t j = 0; j < V::kPanelVectors; ++j) {
      const std::size_t column = panel + j * V::kLanes;
      const std::size_t n = column >= columns ? 0 : smaller(V::kLanes, columns - column);
      typename V::F zero_point{}, scale{};
      load_scales<V, kType>(format, column, columns, zero_point, scale);
      for (std::size_t k = 0; k < inner; ++k) {
        typename V::F weights = V::zero();
        if (n != 0) {
          weights =
              load_stored_up_to<V, kType>(stored + (k * stride + column) * kStoredSize<kType>, n);
          if constexpr (kType == WeightType::kI8 || kType == WeightType::kU8) {
            weights = V::mul(V::sub(weights, zero_point), scale);
          }
        }
        V::store(packed + k * kPanel<V> + j * V::kLanes, weights);
      }
    }
  }
}

template <class V>
void pack_rows(const void* stored, const WeightFormat& format, std::size_t stride,
               std::size_t columns, std::size_t inner, float* packed) {
  const auto* bytes = static_cast<const std::uint8_t*>(stored);
  switch (format.type) {
    case WeightType::kF32:
      return pack_rows_of<V, WeightType::kF32>(bytes, format, stride, columns, inner, packed);
    case WeightType::kF16:
      return pack_rows_of<V, WeightType::kF16>(bytes, format, stride, columns, inner, packed);
    case WeightType::kI8:
      return pack_rows_of<V, WeightType::kI8>(bytes, format, stride, columns, inner, packed);
    case WeightType::kU8:
      return pack_rows_of<V, WeightType::kU8>(bytes, format, stride, columns, inner, packed);
  }
}

template <class V, WeightType kType>
void widen_of(const std::uint8_t* in, const WeightFormat& format, std::size_t count, float* out) {
  for (std::size_t i = 0; i < count; i += V::kLanes) {
    const std::size_t n = smaller(V::kLanes, count - i);
    const typename V::F stored = load_stored_up_to<V, kType>(in + i * kStoredSize<kType>, n);
    store_up_to<V>(out + i, to_weights<V, kType>(stored, format, 0), n);
  }
}

template <class V>
void widen(const void* in, const WeightFormat& format, std::size_t count, float* out) {
  const auto* bytes = static_cast<const std::uint8_t*>(in);
  switch (format.type) {
    case WeightType::kF32:
      return widen_of<V, WeightType::kF32>(bytes, format, count, out);
    case WeightType::kF16:
      return widen_of<V, WeightType::kF16>(bytes, format, count, out);
    case WeightType::kI8:
      return widen_of<V, WeightType::kI8>(bytes, format, count, out);
    case WeightType::kU8:
      return widen_of<V, WeightType::kU8>(bytes, format, count, out);
  }
}

}  // namespace sealpack::nn::kernels
