// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "runtime-loader/nn/float16.h"
#include "runtime-loader/nn/tensor.h"

// Element types as C++ types, and the choice among them at run time.
namespace sealpack::nn {

// Elements that C++ has no type for, as they lie in memory.
struct Float16 {
  std::uint16_t bits = 0;
};
struct BFloat16 {
  std::uint16_t bits = 0;
};
struct Boolean {
  std::uint8_t byte = 0;  // untrusted: anything but 0 is true
};

// From an element to the type that arithmetic is done in (float for both 16-bit formats) and back.
template <typename T>
constexpr T load(T element) {
  return element;
}
inline float load(Float16 element) {
  return f16_to_f32(element.bits);
}
inline float load(BFloat16 element) {
  return bf16_to_f32(element.bits);
}
constexpr bool load(Boolean element) {
  return element.byte != 0;
}
template <typename T>
using Computed = decltype(load(T{}));

template <typename T>
T store(Computed<T> value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return {f32_to_f16(value)};
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return {f32_to_bf16(value)};
  } else if constexpr (std::is_same_v<T, Boolean>) {
    return {static_cast<std::uint8_t>(value ? 1 : 0)};
  } else {
    return value;
  }
}

// Any arithmetic value to an element type: what does not fit becomes the nearest that does, NaN
// becomes 0 in integers, fractions are cut off.
template <typename T, typename V>
T saturate(V value) {
  if constexpr (std::is_integral_v<T> && std::is_floating_point_v<V>) {
    // 2^digits, exact in any floating type; max() itself might round up to it.
    constexpr V kEnd = static_cast<V>(std::numeric_limits<T>::max() / 2 + 1) * 2;
    if (std::isnan(value)) return 0;
    if (value >= kEnd) return std::numeric_limits<T>::max();
    if (value <= static_cast<V>(std::numeric_limits<T>::lowest())) {
      return std::numeric_limits<T>::lowest();
    }
    return static_cast<T>(value);
  } else if constexpr (std::is_integral_v<T>) {
    if (std::in_range<T>(value)) return static_cast<T>(value);
    return value < 0 ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
  } else {
    return store<T>(static_cast<Computed<T>>(value));
  }
}

// Sums and products; those of integers are taken modulo 2^bits.
template <typename T>
constexpr T add(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  } else {
    return a + b;
  }
}
template <typename T>
constexpr T subtract(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  } else {
    return a - b;
  }
}
template <typename T>
constexpr T multiply(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  } else {
    return a * b;
  }
}
// sum + a * b, rounded once.
template <typename T>
T multiply_add(T a, T b, T sum) {
  if constexpr (std::is_integral_v<T>) {
    return add(sum, multiply(a, b));
  } else {
    return std::fma(a, b, sum);
  }
}

template <typename... Ts>
struct TypeSet {};
using FloatTypes = TypeSet<float, double, Float16, BFloat16>;
using SignedIntegers = TypeSet<std::int8_t, std::int16_t, std::int32_t, std::int64_t>;
using UnsignedIntegers = TypeSet<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using ByteTypes = TypeSet<std::int8_t, std::uint8_t>;
using NumberTypes =
    TypeSet<float, double, Float16, BFloat16, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
            std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using SignedTypes = TypeSet<float, double, Float16, BFloat16, std::int8_t, std::int16_t,
                            std::int32_t, std::int64_t>;
// What matrix products and reductions take.
using WideTypes = TypeSet<float, double, Float16, BFloat16, std::int32_t, std::int64_t,
                          std::uint32_t, std::uint64_t>;
using BooleanType = TypeSet<Boolean>;
using AllTypes =
    TypeSet<float, double, Float16, BFloat16, std::int8_t, std::int16_t, std::int32_t, std::int64_t,
            std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, Boolean>;

template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kF32;
  if constexpr (std::is_same_v<T, double>) return DType::kF64;
  if constexpr (std::is_same_v<T, Float16>) return DType::kF16;
  if constexpr (std::is_same_v<T, BFloat16>) return DType::kBF16;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::kI8;
  if constexpr (std::is_same_v<T, std::int16_t>) return DType::kI16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kI64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kU8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DType::kU16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DType::kU32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DType::kU64;
  if constexpr (std::is_same_v<T, Boolean>) return DType::kBool;
}

template <typename... Ts>
constexpr bool contains(TypeSet<Ts...> /*set*/, DType type) {
  return ((dtype_of<Ts>() == type) || ...);
}

// Calls f.template operator()<T>() for the element type `type`, which is in the set: infer has
// checked that. What f returns has one type and a default.
template <typename F, typename First, typename... Rest>
auto dispatch(TypeSet<First, Rest...> /*set*/, DType type, F&& f) {
  if (type == dtype_of<First>()) return f.template operator()<First>();
  if constexpr (sizeof...(Rest) > 0) {
    return dispatch(TypeSet<Rest...>{}, type, std::forward<F>(f));
  } else {
    die("run was given an element type that infer does not accept");
  }
}

// One element of any type as a double; integers beyond 2^53 are rounded.
inline double number_at(const ConstTensor& tensor, std::size_t index) {
  return dispatch(AllTypes{}, tensor.type.dtype, [&]<typename T>() {
    return static_cast<double>(load(tensor.elements<T>()[index]));
  });
}

}  // namespace sealpack::nn
