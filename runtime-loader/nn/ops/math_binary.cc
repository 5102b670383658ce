// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_elementwise.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

struct Add {
  template <typename T>
  T operator()(T a, T b) const {
    return add(a, b);
  }
};

struct Sub {
  template <typename T>
  T operator()(T a, T b) const {
    return subtract(a, b);
  }
};

struct Mul {
  template <typename T>
  T operator()(T a, T b) const {
    return multiply(a, b);
  }
};

// Integers: towards zero; the divisor is not 0, and MIN / -1 is MIN.
struct Div {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      if (b == T{-1}) return subtract(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};

struct Mod {
  bool as_fmod = false;

  static Result<Mod> make(const Node& node) {
    return Mod{TRY(bool_attribute(node, "fmod", false))};
  }
  // The sign of a with fmod, else that of b. The divisor is not 0 in integers.
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_unsigned_v<T>) {
      return static_cast<T>(a % b);
    } else {
      if (b == T{-1}) return T{0};  // MIN % -1 overflows
      const T rest = static_cast<T>(a % b);
      const bool other_sign = rest != T{0} && (rest < T{0}) != (b < T{0});
      return !as_fmod && other_sign ? add(rest, b) : rest;
    }
  }
};

Result<std::vector<TensorType>> infer_mod(const InferContext& context) {
  std::vector<TensorType> outputs = TRY(infer_combine<NumberTypes, Mod>(context));
  const Mod mod = TRY(Mod::make(context.node));
  if (!mod.as_fmod && contains(FloatTypes{}, outputs[0].dtype)) {
    return malformed("Mod of floating-point tensors without fmod=1");
  }
  return outputs;
}

// Refuses a divisor of 0 among integers before anything is divided.
template <typename Op>
Status run_divide(RunContext& context) {
  const Op op = TRY(make_op<Op>(context.node));
  const ConstTensor& divisor = context.inputs[1];
  return dispatch(NumberTypes{}, divisor.type.dtype, [&]<typename T>() -> Status {
    if constexpr (std::is_integral_v<T>) {
      if (std::ranges::count(divisor.elements<T>(), T{0}) != 0) {
        return malformed(context.node.op + " of integers by 0");
      }
    }
    combine<T, T>(context.inputs[0], divisor, context.outputs[0], op);
    return done();
  });
}

struct BitShift {
  bool left = true;

  static Result<BitShift> make(const Node& node) {
    const Result<std::string> direction = text_attribute(node, "direction", "");
    if (!direction.ok()) return direction.error();
    if (*direction != "LEFT" && *direction != "RIGHT") {
      return malformed("direction " + shown(*direction) + " is neither LEFT nor RIGHT");
    }
    return BitShift{*direction == "LEFT"};
  }
  template <typename T>
  T operator()(T x, T by) const {
    if (by >= std::numeric_limits<T>::digits) return T{0};
    return static_cast<T>(left ? std::uint64_t{x} << by : std::uint64_t{x} >> by);
  }
};

// One number of any type, exact.
struct Exponent {
  bool is_integer = false;
  bool is_negative = false;
  std::uint64_t magnitude = 0;  // if is_integer
  double value = 0;
};

Exponent exponent_at(const ConstTensor& tensor, std::size_t index) {
  return dispatch(NumberTypes{}, tensor.type.dtype, [&]<typename T>() -> Exponent {
    const auto value = load(tensor.elements<T>()[index]);
    Exponent exponent;
    exponent.value = static_cast<double>(value);
    exponent.is_negative = value < 0;
    if constexpr (std::is_integral_v<T>) {
      exponent.is_integer = true;
      exponent.magnitude = static_cast<std::uint64_t>(value);
      if (value < 0) exponent.magnitude = 0 - exponent.magnitude;
    }
    return exponent;
  });
}

// Modulo 2^bits. A negative exponent: 1 / base^|exponent| towards zero, and 0 for a base of 0.
template <typename T>
T integer_power(T base, const Exponent& exponent) {
  std::uint64_t left = exponent.magnitude;
  if (exponent.is_negative) {
    if (base != T{1} && !(std::is_signed_v<T> && base == static_cast<T>(-1))) return T{0};
    left &= 1U;  // 1 and -1 are their own inverses
  }
  T power = 1;
  for (T square = base; left != 0; left >>= 1U, square = multiply(square, square)) {
    if ((left & 1U) != 0) power = multiply(power, square);
  }
  return power;
}

template <typename T>
T power(T base, const Exponent& exponent) {
  const auto value = load(base);
  if constexpr (std::is_integral_v<T>) {
    if (exponent.is_integer) return integer_power(base, exponent);
  }
  return saturate<T>(std::pow(static_cast<double>(value), exponent.value));
}

struct FloatPow {
  template <typename T>
  T operator()(T base, T exponent) const {
    return std::pow(base, exponent);
  }
};

Result<std::vector<TensorType>> infer_pow(const InferContext& context) {
  const TensorType* base = TRY(typed_input<WideTypes>(context, 0));
  const TensorType* exponent = TRY(typed_input<NumberTypes>(context, 1));
  return std::vector<TensorType>{{base->dtype, TRY(broadcast(base->shape, exponent->shape))}};
}

Status run_pow(RunContext& context) {
  const ConstTensor& base = context.inputs[0];
  const ConstTensor& exponent = context.inputs[1];
  const Tensor& out = context.outputs[0];
  if (base.type.dtype == exponent.type.dtype && contains(FloatTypes{}, base.type.dtype)) {
    return run_combine<FloatTypes, FloatPow>(context);
  }
  return dispatch(WideTypes{}, base.type.dtype, [&]<typename T>() -> Status {
    const BroadcastRuns<2> runs(out.type.shape, {base.type.shape, exponent.type.shape});
    const std::span<const T> from = base.elements<T>();
    const std::span<T> to = out.elements<T>();
    runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        const Exponent by = exponent_at(exponent, offsets[1] + i * runs.step(1));
        to[offset + i] = power<T>(from[offsets[0] + i * runs.step(0)], by);
      }
    });
    return done();
  });
}

template <typename Types, typename Op>
constexpr Operator combine_operator(const char* name, std::int64_t first_opset,
                                    const char* attributes = "") {
  return {
      name,      first_opset, kLastOpset, 2, 2, 1, infer_combine<Types, Op>, run_combine<Types, Op>,
      attributes};
}

constexpr Operator kOperators[] = {
    combine_operator<NumberTypes, Add>("Add", 7),
    combine_operator<UnsignedIntegers, BitShift>("BitShift", 11, "direction"),
    {"Div", 7, kLastOpset, 2, 2, 1, infer_combine<NumberTypes, Div>, run_divide<Div>},
    {"Mod", 10, kLastOpset, 2, 2, 1, infer_mod, run_divide<Mod>, "fmod"},
    combine_operator<NumberTypes, Mul>("Mul", 7),
    {"Pow", 7, kLastOpset, 2, 2, 1, infer_pow, run_pow},
    combine_operator<NumberTypes, Sub>("Sub", 7),
};

}  // namespace

std::span<const Operator> binary_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
