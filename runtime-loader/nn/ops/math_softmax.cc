// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_check.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

// A tensor as [outer][width][inner]; the operator works along `width`.
struct Lanes {
  std::size_t outer = 1;
  std::size_t width = 1;
  std::size_t inner = 1;
};

constexpr std::int64_t kPerAxis = 13;  // first opset that works along one axis

// Before opset 13 the tensor was taken as a matrix, cut before `axis`.
Result<Lanes> lanes(const Node& node, std::int64_t opset, const Shape& shape) {
  const std::int64_t stated = TRY(int_attribute(node, "axis", opset < kPerAxis ? 1 : -1));
  const bool cut_at_end = opset < kPerAxis && stated == static_cast<std::int64_t>(shape.rank());
  const std::size_t axis = cut_at_end ? shape.rank() : TRY(to_axis(stated, shape.rank()));
  Lanes result;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    const std::size_t dim = to_size(shape[i]);
    if (i < axis) {
      result.outer *= dim;
    } else if (i == axis || opset < kPerAxis) {
      result.width *= dim;
    } else {
      result.inner *= dim;
    }
  }
  return result;
}

Result<std::vector<TensorType>> infer_lanes(const InferContext& context) {
  const TensorType* input = TRY(typed_input<FloatTypes>(context, 0));
  TRY(lanes(context.node, context.opset, input->shape));
  return std::vector<TensorType>{*input};
}

// `width` elements, `stride` apart.
template <typename T>
struct Lane {
  const T* in;
  T* out;
  std::size_t width;
  std::size_t stride;

  Computed<T> at(std::size_t i) const { return load(in[i * stride]); }
  Computed<T> greatest() const {
    Computed<T> best = at(0);
    for (std::size_t i = 1; i < width; ++i) best = at(i) > best ? at(i) : best;
    return best;
  }
};

struct Softmax {
  template <typename T>
  static void apply(const Lane<T>& lane) {
    using C = Computed<T>;
    const C greatest = lane.greatest();
    C sum = 0;
    for (std::size_t i = 0; i < lane.width; ++i) sum += std::exp(lane.at(i) - greatest);
    for (std::size_t i = 0; i < lane.width; ++i) {
      lane.out[i * lane.stride] = store<T>(std::exp(lane.at(i) - greatest) / sum);
    }
  }
};

struct LogSoftmax {
  template <typename T>
  static void apply(const Lane<T>& lane) {
    using C = Computed<T>;
    const C greatest = lane.greatest();
    C sum = 0;
    for (std::size_t i = 0; i < lane.width; ++i) sum += std::exp(lane.at(i) - greatest);
    const C log_sum = std::log(sum);
    for (std::size_t i = 0; i < lane.width; ++i) {
      lane.out[i * lane.stride] = store<T>(lane.at(i) - greatest - log_sum);
    }
  }
};

// 1 at the first greatest element.
struct Hardmax {
  template <typename T>
  static void apply(const Lane<T>& lane) {
    using C = Computed<T>;
    const C greatest = lane.greatest();
    bool found = false;
    for (std::size_t i = 0; i < lane.width; ++i) {
      const bool here = !found && lane.at(i) == greatest;
      lane.out[i * lane.stride] = store<T>(here ? C{1} : C{0});
      found = found || here;
    }
  }
};

template <typename Op>
Status run_lanes(RunContext& context) {
  const ConstTensor& input = context.inputs[0];
  if (input.type.shape.element_count() == 0) return done();
  const Lanes form = TRY(lanes(context.node, context.opset, input.type.shape));
  return dispatch(FloatTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    const T* in = input.elements<T>().data();
    T* out = context.outputs[0].elements<T>().data();
    for (std::size_t outer = 0; outer < form.outer; ++outer) {
      for (std::size_t inner = 0; inner < form.inner; ++inner) {
        const std::size_t first = outer * form.width * form.inner + inner;
        Op::apply(Lane<T>{in + first, out + first, form.width, form.inner});
      }
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"Hardmax", 1, kLastOpset, 1, 1, 1, infer_lanes, run_lanes<Hardmax>, "axis"},
    {"LogSoftmax", 1, kLastOpset, 1, 1, 1, infer_lanes, run_lanes<LogSoftmax>, "axis"},
    {"Softmax", 1, kLastOpset, 1, 1, 1, infer_lanes, run_lanes<Softmax>, "axis"},
};

}  // namespace

std::span<const Operator> softmax_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
