// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_broadcast.h"
#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

struct ReduceForm {
  Shape kept;              // of the same rank as the input: 1 along reduced axes
  Shape output;            // the same, without reduced axes unless keepdims
  std::int64_t count = 1;  // elements behind each output
  bool nothing = false;    // no axes, and that means none
};

Result<ReduceForm> reduce_form(const Node& node, const Shape& input,
                               std::span<const std::int64_t> axes) {
  ReduceForm form;
  const bool keep = TRY(bool_attribute(node, "keepdims", true));
  form.nothing = axes.empty() && TRY(bool_attribute(node, "noop_with_empty_axes", false));
  const AxisFlags named = TRY(check_axes(axes, input.rank()));
  std::vector<std::int64_t> kept;
  std::vector<std::int64_t> output;
  for (std::size_t axis = 0; axis < input.rank(); ++axis) {
    const bool reduced = !form.nothing && (axes.empty() || named[axis]);
    if (reduced) form.count *= input[axis];
    kept.push_back(reduced ? 1 : input[axis]);
    if (!reduced || keep) output.push_back(kept.back());
  }
  form.kept = TRY(Shape::make(kept));
  form.output = TRY(Shape::make(output));
  return form;
}

using ReduceTypes = NumberTypes;

Result<std::vector<TensorType>> infer_by_attribute(const InferContext& context) {
  const TensorType* input = TRY(typed_input<ReduceTypes>(context, 0));
  const std::vector<std::int64_t> axes = TRY(integers_attribute(context.node, "axes"));
  const ReduceForm form = TRY(reduce_form(context.node, input->shape, axes));
  return std::vector<TensorType>{{input->dtype, form.output}};
}

Result<std::vector<TensorType>> infer_by_input(const InferContext& context) {
  const TensorType* input = TRY(typed_input<ReduceTypes>(context, 0));
  std::vector<std::int64_t> axes;
  if (const TensorType* type = optional_input(context, 1)) {
    if (type->dtype != DType::kI64) return wrong_type(context, 1);
    if (type->shape.element_count() != 0) axes = TRY(constant_integers(context, 1, "axes"));
  }
  const ReduceForm form = TRY(reduce_form(context.node, input->shape, axes));
  return std::vector<TensorType>{{input->dtype, form.output}};
}

// Sums are kept in double, or modulo 2^64 in integers.
template <typename T>
using Total = std::conditional_t<std::is_integral_v<T>, T, double>;

// A reduction is `start`, `step(total so far, element)` and `finish(total, count of elements)`.

struct Sum {
  template <typename A>
  static A start() {
    return A{0};
  }
  template <typename A>
  static A step(A total, A x) {
    return add(total, x);
  }
  template <typename A>
  static A finish(A total, std::int64_t /*count*/) {
    return total;
  }
};

struct Mean : Sum {
  template <typename A>
  static A finish(A total, std::int64_t count) {
    if constexpr (std::is_signed_v<A> && std::is_integral_v<A>) {
      return count == 0 ? A{0} : static_cast<A>(std::int64_t{total} / count);
    } else if constexpr (std::is_integral_v<A>) {
      const auto divisor = static_cast<std::uint64_t>(count);
      return count == 0 ? A{0} : static_cast<A>(std::uint64_t{total} / divisor);
    } else {
      return total / static_cast<A>(count);
    }
  }
};

struct Prod : Sum {
  template <typename A>
  static A start() {
    return A{1};
  }
  template <typename A>
  static A step(A total, A x) {
    return multiply(total, x);
  }
};

// NaN wins, as in numpy. Of nothing: the least number there is.
struct Max : Sum {
  template <typename A>
  static A start() {
    return std::is_integral_v<A> ? std::numeric_limits<A>::lowest()
                                 : -std::numeric_limits<A>::infinity();
  }
  template <typename A>
  static A step(A total, A x) {
    return x > total || x != x ? x : total;
  }
};

struct Min : Sum {
  template <typename A>
  static A start() {
    return std::is_integral_v<A> ? std::numeric_limits<A>::max()
                                 : std::numeric_limits<A>::infinity();
  }
  template <typename A>
  static A step(A total, A x) {
    return x < total || x != x ? x : total;
  }
};

struct L1 : Sum {
  template <typename A>
  static A step(A total, A x) {
    return x < A{0} ? subtract(total, x) : add(total, x);
  }
};

struct SumSquare : Sum {
  template <typename A>
  static A step(A total, A x) {
    return add(total, multiply(x, x));
  }
};

struct L2 : SumSquare {
  template <typename A>
  static A finish(A total, std::int64_t /*count*/) {
    return saturate<A>(std::sqrt(static_cast<double>(total)));
  }
};

struct LogSum : Sum {
  template <typename A>
  static A finish(A total, std::int64_t /*count*/) {
    return saturate<A>(std::log(static_cast<double>(total)));
  }
};

// f(element of the input, number of the output it belongs to), in ascending order.
template <typename T, typename F>
void for_each_element(const ConstTensor& input, const Shape& kept, F&& f) {
  const T* in = input.elements<T>().data();
  const BroadcastRuns<1> runs(input.type.shape, {kept});
  runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      f(load(in[offset + i]), offsets[0] + i * runs.step(0));
    }
  });
}

template <typename T, typename Op>
Status reduce(RunContext& context, const ReduceForm& form) {
  using A = Total<T>;
  const std::span<T> out = context.outputs[0].elements<T>();
  const auto totals = TRY(Scratch<A>::make(context.memory, out.size()));
  std::ranges::fill(totals.elements(), Op::template start<A>());
  for_each_element<T>(context.inputs[0], form.kept, [&](auto x, std::size_t to) {
    totals.data()[to] = Op::step(totals.data()[to], static_cast<A>(x));
  });
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = saturate<T>(Op::finish(totals.data()[i], form.count));
  }
  return done();
}

struct LogSumExp {};

// log(sum(exp(x - greatest))) + greatest, which does not overflow.
template <typename T>
Status reduce_log_sum_exp(RunContext& context, const ReduceForm& form) {
  const std::span<T> out = context.outputs[0].elements<T>();
  const auto greatest = TRY(Scratch<double>::make(context.memory, out.size()));
  const auto totals = TRY(Scratch<double>::make(context.memory, out.size()));
  std::ranges::fill(greatest.elements(), Max::start<double>());
  std::ranges::fill(totals.elements(), 0.0);
  const ConstTensor& input = context.inputs[0];
  for_each_element<T>(input, form.kept, [&](auto x, std::size_t to) {
    greatest.data()[to] = Max::step(greatest.data()[to], static_cast<double>(x));
  });
  for (double& x : greatest.elements()) x = std::isinf(x) ? 0.0 : x;
  for_each_element<T>(input, form.kept, [&](auto x, std::size_t to) {
    totals.data()[to] += std::exp(static_cast<double>(x) - greatest.data()[to]);
  });
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = saturate<T>(std::log(totals.data()[i]) + greatest.data()[i]);
  }
  return done();
}

template <typename Op, bool kByInput>
Status run_reduce(RunContext& context) {
  std::vector<std::int64_t> axes;
  if (!kByInput) {
    axes = TRY(integers_attribute(context.node, "axes"));
  } else if (has_input(context, 1)) {
    axes = TRY(to_integers(context.inputs[1]));
  }
  const ConstTensor& input = context.inputs[0];
  const ReduceForm form = TRY(reduce_form(context.node, input.type.shape, axes));
  const Tensor& output = context.outputs[0];
  if (form.output != output.type.shape) return malformed("axes changed after the graph was typed");
  return dispatch(ReduceTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    if (form.nothing) {
      std::ranges::copy(input.elements<T>(), output.elements<T>().begin());
      return done();
    }
    if constexpr (std::is_same_v<Op, LogSumExp>) {
      return reduce_log_sum_exp<T>(context, form);
    } else {
      return reduce<T, Op>(context, form);
    }
  });
}

template <typename Op>
constexpr Operator by_attribute(const char* name, std::int64_t last_opset = kLastOpset) {
  return {name, 1, last_opset, 1, 1, 1, infer_by_attribute, run_reduce<Op, false>, "axes keepdims"};
}

constexpr Operator kOperators[] = {
    by_attribute<L1>("ReduceL1"),
    by_attribute<L2>("ReduceL2"),
    by_attribute<LogSum>("ReduceLogSum"),
    by_attribute<LogSumExp>("ReduceLogSumExp"),
    by_attribute<Max>("ReduceMax"),
    by_attribute<Mean>("ReduceMean"),
    by_attribute<Min>("ReduceMin"),
    by_attribute<Prod>("ReduceProd"),
    by_attribute<Sum>("ReduceSum", 12),
    {"ReduceSum", 13, kLastOpset, 1, 2, 1, infer_by_input, run_reduce<Sum, true>,
     "keepdims noop_with_empty_axes"},
    by_attribute<SumSquare>("ReduceSumSquare"),
};

}  // namespace

std::span<const Operator> reduce_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
