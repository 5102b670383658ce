// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_elementwise.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

// NaN stays NaN through every comparison below.

struct Relu {
  template <typename T>
  T operator()(T x) const {
    return x < T{0} ? T{0} : x;
  }
};

struct LeakyRelu {
  float alpha;
  static Result<LeakyRelu> make(const Node& node) {
    return LeakyRelu{TRY(float_attribute(node, "alpha", 0.01F))};
  }
  template <typename T>
  T operator()(T x) const {
    return x < T{0} ? static_cast<T>(alpha) * x : x;
  }
};

struct PRelu {
  template <typename T>
  T operator()(T x, T slope) const {
    return x < T{0} ? multiply(x, slope) : x;
  }
};

struct Elu {
  float alpha;
  static Result<Elu> make(const Node& node) {
    return Elu{TRY(float_attribute(node, "alpha", 1.0F))};
  }
  template <typename T>
  T operator()(T x) const {
    return x < T{0} ? static_cast<T>(alpha) * std::expm1(x) : x;
  }
};

struct Selu {
  float alpha;
  float gamma;
  static Result<Selu> make(const Node& node) {
    return Selu{TRY(float_attribute(node, "alpha", 1.67326319217681884765625F)),
                TRY(float_attribute(node, "gamma", 1.05070102214813232421875F))};
  }
  template <typename T>
  T operator()(T x) const {
    return static_cast<T>(gamma) * (x > T{0} ? x : static_cast<T>(alpha) * std::expm1(x));
  }
};

struct Celu {
  float alpha;
  static Result<Celu> make(const Node& node) {
    return Celu{TRY(float_attribute(node, "alpha", 1.0F))};
  }
  template <typename T>
  T operator()(T x) const {
    const T scale = static_cast<T>(alpha);
    const T curve = scale * std::expm1(x / scale);
    return (x < T{0} ? T{0} : x) + (curve > T{0} ? T{0} : curve);
  }
};

struct Sigmoid {
  template <typename T>
  T operator()(T x) const {
    const T small = std::exp(-std::fabs(x));  // never overflows
    return (x < T{0} ? small : T{1}) / (T{1} + small);
  }
};

struct Softplus {
  template <typename T>
  T operator()(T x) const {
    return (x < T{0} ? T{0} : x) + std::log1p(std::exp(-std::fabs(x)));
  }
};

struct Softsign {
  template <typename T>
  T operator()(T x) const {
    return x / (T{1} + std::fabs(x));
  }
};

template <typename T>
T clamp01(T x) {
  return x < T{0} ? T{0} : (x > T{1} ? T{1} : x);
}

struct HardSigmoid {
  float alpha;
  float beta;
  static Result<HardSigmoid> make(const Node& node) {
    return HardSigmoid{TRY(float_attribute(node, "alpha", 0.2F)),
                       TRY(float_attribute(node, "beta", 0.5F))};
  }
  template <typename T>
  T operator()(T x) const {
    return clamp01(static_cast<T>(alpha) * x + static_cast<T>(beta));
  }
};

struct HardSwish {
  template <typename T>
  T operator()(T x) const {
    return x * clamp01(x / T{6} + T{0.5});
  }
};

struct ThresholdedRelu {
  float alpha;
  static Result<ThresholdedRelu> make(const Node& node) {
    return ThresholdedRelu{TRY(float_attribute(node, "alpha", 1.0F))};
  }
  template <typename T>
  T operator()(T x) const {
    return x <= static_cast<T>(alpha) ? T{0} : x;
  }
};

struct Shrink {
  float bias;
  float lambda;
  static Result<Shrink> make(const Node& node) {
    return Shrink{TRY(float_attribute(node, "bias", 0.0F)),
                  TRY(float_attribute(node, "lambd", 0.5F))};
  }
  template <typename T>
  T operator()(T x) const {
    using Real = std::conditional_t<std::is_same_v<T, float>, float, double>;
    const Real value = static_cast<Real>(x);
    const Real limit = static_cast<Real>(lambda);
    const Real shift = static_cast<Real>(bias);
    if (value < -limit) return saturate<T>(value + shift);
    if (value > limit) return saturate<T>(value - shift);
    return T{0};
  }
};

struct ClipAttributes {
  float low;
  float high;
  static Result<ClipAttributes> make(const Node& node) {
    constexpr float kMost = std::numeric_limits<float>::max();
    return ClipAttributes{TRY(float_attribute(node, "min", -kMost)),
                          TRY(float_attribute(node, "max", kMost))};
  }
  template <typename T>
  T operator()(T x) const {
    const T least = static_cast<T>(low);
    const T most = static_cast<T>(high);
    const T raised = x < least ? least : x;
    return raised > most ? most : raised;
  }
};

Result<std::vector<TensorType>> infer_clip(const InferContext& context) {
  const TensorType* input = TRY(typed_input<NumberTypes>(context, 0));
  for (std::size_t bound = 1; bound <= 2; ++bound) {
    const TensorType* type = optional_input(context, bound);
    if (type == nullptr) continue;
    TRY(check_same_type(context, 0, bound));
    if (type->shape.element_count() != 1) {
      return malformed("a bound of Clip has shape " + to_string(type->shape) + ", not a scalar's");
    }
  }
  return std::vector<TensorType>{*input};
}

Status run_clip(RunContext& context) {
  const ConstTensor& input = context.inputs[0];
  const ConstTensor* low = optional_input(context, 1);
  const ConstTensor* high = optional_input(context, 2);
  return dispatch(NumberTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = input.elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    std::copy(in.begin(), in.end(), out.begin());
    if (low != nullptr) {
      const T least = low->elements<T>()[0];
      for (T& x : out) x = load(x) < load(least) ? least : x;
    }
    if (high != nullptr) {
      const T most = high->elements<T>()[0];
      for (T& x : out) x = load(x) > load(most) ? most : x;
    }
    return done();
  });
}

// slope broadcasts to x and not the other way round.
Result<std::vector<TensorType>> infer_prelu(const InferContext& context) {
  const TensorType* x = TRY(typed_input<NumberTypes>(context, 0));
  TRY(check_same_type(context, 0, 1));
  const TensorType* slope = context.inputs[1];
  if (!broadcasts_to(slope->shape, x->shape)) {
    return malformed("slope " + to_string(slope->shape) + " does not broadcast to " +
                     to_string(x->shape));
  }
  return std::vector<TensorType>{*x};
}

template <typename Types, typename Op>
constexpr Operator map_operator(const char* name, std::int64_t first_opset,
                                const char* attributes = "") {
  return {name, first_opset,          kLastOpset,         1,         1,
          1,    infer_map<Types, Op>, run_map<Types, Op>, attributes};
}

constexpr Operator kOperators[] = {
    map_operator<FloatTypes, Celu>("Celu", 12, "alpha"),
    {"Clip", 6, 10, 1, 1, 1, infer_map<FloatTypes, ClipAttributes>,
     run_map<FloatTypes, ClipAttributes>, "max min"},
    {"Clip", 11, kLastOpset, 1, 3, 1, infer_clip, run_clip},
    map_operator<FloatTypes, Elu>("Elu", 6, "alpha"),
    map_operator<FloatTypes, HardSigmoid>("HardSigmoid", 6, "alpha beta"),
    map_operator<FloatTypes, HardSwish>("HardSwish", 14),
    map_operator<FloatTypes, LeakyRelu>("LeakyRelu", 6, "alpha"),
    {"PRelu", 9, kLastOpset, 2, 2, 1, infer_prelu, run_combine<NumberTypes, PRelu>},
    map_operator<SignedTypes, Relu>("Relu", 6),
    map_operator<FloatTypes, Selu>("Selu", 6, "alpha gamma"),
    map_operator<NumberTypes, Shrink>("Shrink", 9, "bias lambd"),
    map_operator<FloatTypes, Sigmoid>("Sigmoid", 6),
    map_operator<FloatTypes, Softplus>("Softplus", 1),
    map_operator<FloatTypes, Softsign>("Softsign", 1),
    map_operator<FloatTypes, ThresholdedRelu>("ThresholdedRelu", 10, "alpha"),
};

}  // namespace

std::span<const Operator> activation_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
