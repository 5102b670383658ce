// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "runtime-loader/nn/ops/math_elementwise.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

struct First {
  template <typename T>
  T operator()(T a, T /*b*/) const {
    return a;
  }
};

struct Add {
  template <typename T>
  T operator()(T a, T b) const {
    return add(a, b);
  }
};

// NaN wins, as in numpy.
struct Least {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

struct Greatest {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

template <typename Types>
Result<std::vector<TensorType>> infer_variadic(const InferContext& context) {
  const TensorType* first = TRY(typed_input<Types>(context, 0));
  TensorType out = *first;
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    TRY(check_same_type(context, 0, i));
    out.shape = TRY(broadcast(out.shape, context.inputs[i]->shape));
  }
  return std::vector<TensorType>{out};
}

// Folds the inputs into the output, first to last.
template <typename T, typename Op>
void fold(RunContext& context, const Op& op) {
  const Tensor& out = context.outputs[0];
  combine<T, T>(context.inputs[0], context.inputs[0], out, First{});
  for (std::size_t i = 1; i < context.inputs.size(); ++i) {
    combine<T, T>(out, context.inputs[i], out, op);
  }
}

template <typename Types, typename Op>
Status run_fold(RunContext& context) {
  return dispatch(Types{}, context.inputs[0].type.dtype, [&]<typename T>() -> Status {
    fold<T>(context, Op{});
    return done();
  });
}

Status run_mean(RunContext& context) {
  return dispatch(FloatTypes{}, context.inputs[0].type.dtype, [&]<typename T>() -> Status {
    fold<T>(context, Add{});
    const auto count = static_cast<Computed<T>>(context.inputs.size());
    for (T& x : context.outputs[0].elements<T>()) x = store<T>(load(x) / count);
    return done();
  });
}

constexpr std::size_t kMany = std::numeric_limits<std::int32_t>::max();

constexpr Operator kOperators[] = {
    {"Max", 8, kLastOpset, 1, kMany, 1, infer_variadic<NumberTypes>,
     run_fold<NumberTypes, Greatest>},
    {"Mean", 8, kLastOpset, 1, kMany, 1, infer_variadic<FloatTypes>, run_mean},
    {"Min", 8, kLastOpset, 1, kMany, 1, infer_variadic<NumberTypes>, run_fold<NumberTypes, Least>},
    {"Sum", 8, kLastOpset, 1, kMany, 1, infer_variadic<FloatTypes>, run_fold<FloatTypes, Add>},
};

}  // namespace

std::span<const Operator> variadic_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
