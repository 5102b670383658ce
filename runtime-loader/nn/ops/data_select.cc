// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"
#include "runtime-loader/nn/ops/math_broadcast.h"
#include "runtime-loader/nn/ops/math_scratch.h"

// Operators that choose among elements: by a condition, by size.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

Types infer_where(const InferContext& context) {
  TRY(check_dtype(context, 0, {DType::kBool}));
  TRY(check_same_type(context, 1, 2));
  const Shape choices = TRY(broadcast(context.inputs[1]->shape, context.inputs[2]->shape));
  const Shape shape = TRY(broadcast(context.inputs[0]->shape, choices));
  return std::vector{TensorType{context.inputs[1]->dtype, shape}};
}

Status run_where(RunContext& context) {
  const Tensor& out = context.outputs[0];
  const auto& in = context.inputs;
  const BroadcastRuns<3> runs(out.type.shape,
                              {in[0].type.shape, in[1].type.shape, in[2].type.shape});
  return dispatch(AllTypes{}, out.type.dtype, [&]<typename T>() -> Status {
    runs.for_each([&](std::size_t offset, const std::array<std::size_t, 3>& from,
                      std::size_t count) {
      const Boolean* condition = in[0].elements<Boolean>().data() + from[0];
      const T* yes = in[1].elements<T>().data() + from[1];
      const T* no = in[2].elements<T>().data() + from[2];
      T* to = out.elements<T>().data() + offset;
      for (std::size_t i = 0; i < count; ++i) {
        to[i] = load(condition[i * runs.step(0)]) ? yes[i * runs.step(1)] : no[i * runs.step(2)];
      }
    });
    return done();
  });
}

// A total order, NaN above everything: sorting relies on one.
template <typename V>
bool is_greater(V a, V b) {
  if constexpr (std::is_floating_point_v<V>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  }
  return a > b;
}

Types infer_arg(const InferContext& context) {
  const TensorType& in = *TRY(typed_input<NumberTypes>(context, 0));
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.shape.rank()));
  const bool keep = TRY(bool_attribute(context.node, "keepdims", true));
  TRY(bool_attribute(context.node, "select_last_index", false));
  if (in.shape[axis] == 0) return malformed("no element to choose in " + to_string(in.shape));
  std::vector<std::int64_t> dims = to_list(in.shape);
  if (keep) {
    dims[axis] = 1;
  } else {
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  return std::vector{TensorType{DType::kI64, TRY(Shape::make(dims))}};
}

template <bool kMost>
Status run_arg(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", 0, in.type.shape.rank()));
  const bool last = TRY(bool_attribute(context.node, "select_last_index", false));
  const AxisView view(in.type, axis);
  const auto out = context.outputs[0].elements<std::int64_t>();
  return dispatch(NumberTypes{}, in.type.dtype, [&]<typename T>() -> Status {
    const T* elements = in.elements<T>().data();
    for (std::int64_t i = 0; i < view.outer * view.inner; ++i) {
      const T* line = elements + i / view.inner * view.count * view.inner + i % view.inner;
      std::int64_t best = 0;
      for (std::int64_t at = 1; at < view.count; ++at) {
        const auto value = load(line[at * view.inner]);
        const auto champion = load(line[best * view.inner]);
        const bool better = kMost ? is_greater(value, champion) : is_greater(champion, value);
        const bool worse = kMost ? is_greater(champion, value) : is_greater(value, champion);
        if (better || (last && !worse)) best = at;
      }
      out[static_cast<std::size_t>(i)] = best;
    }
    return done();
  });
}

// How many TopK takes: an attribute in opset 9, then an input of one int64.
Result<std::int64_t> top_count(const Node& node, std::int64_t opset, const ConstTensor* input) {
  if (opset < 10) return int_attribute(node, "k", -1);
  if (input == nullptr || input->data == nullptr) {
    return unsupported("the output's shape depends on K, which is not a constant");
  }
  return one_integer(*input, "K");
}

Types infer_top_k(const InferContext& context) {
  const TensorType& in = *TRY(typed_input<NumberTypes>(context, 0));
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", -1, in.shape.rank()));
  TRY(bool_attribute(context.node, "largest", true));
  TRY(bool_attribute(context.node, "sorted", true));
  const ConstTensor* input = context.opset < 10 ? nullptr : &context.constants[1];
  const std::int64_t count = TRY(top_count(context.node, context.opset, input));
  if (count < 0 || count > in.shape[axis]) {
    return malformed("K of " + std::to_string(count) + " for a dimension of " +
                     std::to_string(in.shape[axis]));
  }
  std::vector<std::int64_t> dims = to_list(in.shape);
  dims[axis] = count;
  const Shape shape = TRY(Shape::make(dims));
  return std::vector{TensorType{in.dtype, shape}, TensorType{DType::kI64, shape}};
}

struct TopOrder {
  std::int64_t count;
  bool largest;
};

// The first of one line in order, equal ones by index: always sorted, asked for or not.
template <typename T>
void choose_top(const T* line, const AxisView& view, TopOrder order,
                std::span<std::int64_t> indices) {
  const auto comes_first = [&](std::int64_t a, std::int64_t b) {
    const auto left = load(line[a * view.inner]);
    const auto right = load(line[b * view.inner]);
    if (is_greater(left, right)) return order.largest;
    if (is_greater(right, left)) return !order.largest;
    return a < b;
  };
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
  std::partial_sort(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(order.count),
                    indices.end(), comes_first);
}

Status run_top_k(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const std::size_t axis = TRY(axis_attribute(context.node, "axis", -1, in.type.shape.rank()));
  const ConstTensor* input = context.opset < 10 ? nullptr : &context.inputs[1];
  const TopOrder order = {TRY(top_count(context.node, context.opset, input)),
                          TRY(bool_attribute(context.node, "largest", true))};
  const AxisView view(in.type, axis);
  const auto scratch = TRY(Scratch<std::int64_t>::make(context.memory, to_size(view.count)));
  const Tensor* values = optional_output(context, 0);
  const Tensor* indices = optional_output(context, 1);
  return dispatch(NumberTypes{}, in.type.dtype, [&]<typename T>() -> Status {
    for (std::int64_t i = 0; i < view.outer * view.inner; ++i) {
      const T* line =
          in.elements<T>().data() + i / view.inner * view.count * view.inner + i % view.inner;
      choose_top(line, view, order, scratch.elements());
      const std::int64_t start = i / view.inner * order.count * view.inner + i % view.inner;
      for (std::int64_t at = 0; at < order.count; ++at) {
        const auto to = static_cast<std::size_t>(start + at * view.inner);
        const std::int64_t chosen = scratch.data()[at];
        if (values != nullptr) values->elements<T>()[to] = line[chosen * view.inner];
        if (indices != nullptr) indices->elements<std::int64_t>()[to] = chosen;
      }
    }
    return done();
  });
}

Types infer_cum_sum(const InferContext& context) {
  const TensorType& in = *TRY(typed_input<WideTypes>(context, 0));
  TRY(check_dtype(context, 1, {DType::kI32, DType::kI64}));
  if (context.inputs[1]->shape.element_count() != 1) return malformed("an axis that is no scalar");
  if (in.shape.rank() == 0) return malformed("a tensor of rank 0");
  TRY(bool_attribute(context.node, "exclusive", false));
  TRY(bool_attribute(context.node, "reverse", false));
  return std::vector{in};
}

Status run_cum_sum(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const std::int64_t given = TRY(one_integer(context.inputs[1], "axis"));
  const AxisView view(in.type, TRY(to_axis(given, in.type.shape.rank())));
  const bool exclusive = TRY(bool_attribute(context.node, "exclusive", false));
  const bool reverse = TRY(bool_attribute(context.node, "reverse", false));
  return dispatch(WideTypes{}, in.type.dtype, [&]<typename T>() -> Status {
    const T* from = in.elements<T>().data();
    T* to = context.outputs[0].elements<T>().data();
    for (std::int64_t i = 0; i < view.outer * view.inner; ++i) {
      const std::int64_t start = i / view.inner * view.count * view.inner + i % view.inner;
      Computed<T> sum{};
      for (std::int64_t at = 0; at < view.count; ++at) {
        const std::int64_t place = start + (reverse ? view.count - 1 - at : at) * view.inner;
        const Computed<T> next = add(sum, load(from[place]));
        to[place] = store<T>(exclusive ? sum : next);
        sum = next;
      }
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"ArgMax", 9, 11, 1, 1, 1, infer_arg, run_arg<true>, "axis keepdims"},
    {"ArgMax", 12, kLastOpset, 1, 1, 1, infer_arg, run_arg<true>,
     "axis keepdims select_last_index"},
    {"ArgMin", 9, 11, 1, 1, 1, infer_arg, run_arg<false>, "axis keepdims"},
    {"ArgMin", 12, kLastOpset, 1, 1, 1, infer_arg, run_arg<false>,
     "axis keepdims select_last_index"},
    {"CumSum", 11, kLastOpset, 2, 2, 1, infer_cum_sum, run_cum_sum, "exclusive reverse"},
    {"TopK", 9, 9, 1, 1, 2, infer_top_k, run_top_k, "axis k"},
    {"TopK", 10, 10, 2, 2, 2, infer_top_k, run_top_k, "axis"},
    {"TopK", 11, kLastOpset, 2, 2, 2, infer_top_k, run_top_k, "axis largest sorted"},
    {"Where", 9, kLastOpset, 3, 3, 1, infer_where, run_where},
};

}  // namespace

std::span<const Operator> data_select_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
