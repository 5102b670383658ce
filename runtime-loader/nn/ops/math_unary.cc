// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "runtime-loader/nn/ops/math_elementwise.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

struct Abs {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::fabs(x);
    return x < T{0} ? subtract(T{0}, x) : x;
  }
};

struct Neg {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return -x;
    return subtract(T{0}, x);
  }
};

struct Sign {
  template <typename T>
  T operator()(T x) const {
    if (x > T{0}) return T{1};
    if (x < T{0}) return static_cast<T>(-1);
    return x;  // 0 or NaN
  }
};

struct Erf {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::erf(x);
    return saturate<T>(std::erf(static_cast<double>(x)));
  }
};

struct Reciprocal {
  template <typename T>
  T operator()(T x) const {
    return T{1} / x;
  }
};

// Ties go to the even neighbour: nobody here changes the rounding mode.
struct Round {
  template <typename T>
  T operator()(T x) const {
    return std::nearbyint(x);
  }
};

#define SEALPACK_FROM_CMATH(Name, function) \
  struct Name {                             \
    template <typename T>                   \
    T operator()(T x) const {               \
      return std::function(x);              \
    }                                       \
  }
SEALPACK_FROM_CMATH(Acos, acos);
SEALPACK_FROM_CMATH(Acosh, acosh);
SEALPACK_FROM_CMATH(Asin, asin);
SEALPACK_FROM_CMATH(Asinh, asinh);
SEALPACK_FROM_CMATH(Atan, atan);
SEALPACK_FROM_CMATH(Atanh, atanh);
SEALPACK_FROM_CMATH(Ceil, ceil);
SEALPACK_FROM_CMATH(Cos, cos);
SEALPACK_FROM_CMATH(Cosh, cosh);
SEALPACK_FROM_CMATH(Exp, exp);
SEALPACK_FROM_CMATH(Floor, floor);
SEALPACK_FROM_CMATH(Log, log);
SEALPACK_FROM_CMATH(Sin, sin);
SEALPACK_FROM_CMATH(Sinh, sinh);
SEALPACK_FROM_CMATH(Sqrt, sqrt);
SEALPACK_FROM_CMATH(Tan, tan);
SEALPACK_FROM_CMATH(Tanh, tanh);
#undef SEALPACK_FROM_CMATH

struct Not {
  bool operator()(bool x) const { return !x; }
};

struct IsNaN {
  template <typename T>
  bool operator()(T x) const {
    return std::isnan(x);
  }
};

struct IsInf {
  bool negative = true;
  bool positive = true;

  static Result<IsInf> make(const Node& node) {
    return IsInf{TRY(bool_attribute(node, "detect_negative", true)),
                 TRY(bool_attribute(node, "detect_positive", true))};
  }
  template <typename T>
  bool operator()(T x) const {
    return std::isinf(x) && (x < T{0} ? negative : positive);
  }
};

template <typename Types, typename Op>
constexpr Operator map_operator(const char* name, std::int64_t first_opset) {
  return {name, first_opset, kLastOpset, 1, 1, 1, infer_map<Types, Op>, run_map<Types, Op>};
}

template <typename Types, typename Op>
constexpr Operator test_operator(const char* name, std::int64_t first_opset,
                                 const char* attributes = "") {
  return {name, first_opset,           kLastOpset,          1,         1,
          1,    infer_test<Types, Op>, run_test<Types, Op>, attributes};
}

constexpr Operator kOperators[] = {
    map_operator<NumberTypes, Abs>("Abs", 6),
    map_operator<FloatTypes, Acos>("Acos", 7),
    map_operator<FloatTypes, Acosh>("Acosh", 9),
    map_operator<FloatTypes, Asin>("Asin", 7),
    map_operator<FloatTypes, Asinh>("Asinh", 9),
    map_operator<FloatTypes, Atan>("Atan", 7),
    map_operator<FloatTypes, Atanh>("Atanh", 9),
    map_operator<FloatTypes, Ceil>("Ceil", 6),
    map_operator<FloatTypes, Cos>("Cos", 7),
    map_operator<FloatTypes, Cosh>("Cosh", 9),
    map_operator<NumberTypes, Erf>("Erf", 9),
    map_operator<FloatTypes, Exp>("Exp", 6),
    map_operator<FloatTypes, Floor>("Floor", 6),
    test_operator<FloatTypes, IsInf>("IsInf", 10, "detect_negative detect_positive"),
    test_operator<FloatTypes, IsNaN>("IsNaN", 9),
    map_operator<FloatTypes, Log>("Log", 6),
    map_operator<SignedTypes, Neg>("Neg", 6),
    test_operator<BooleanType, Not>("Not", 1),
    map_operator<FloatTypes, Reciprocal>("Reciprocal", 6),
    map_operator<FloatTypes, Round>("Round", 11),
    map_operator<NumberTypes, Sign>("Sign", 9),
    map_operator<FloatTypes, Sin>("Sin", 7),
    map_operator<FloatTypes, Sinh>("Sinh", 9),
    map_operator<FloatTypes, Sqrt>("Sqrt", 6),
    map_operator<FloatTypes, Tan>("Tan", 7),
    map_operator<FloatTypes, Tanh>("Tanh", 6),
};

}  // namespace

std::span<const Operator> unary_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
