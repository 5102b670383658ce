// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_broadcast.h"
#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_tables.h"

// Normalizations without parameters: along axes that the node names, or across channels.
namespace sealpack::nn {
namespace {

// The shape with 1 along the flagged axes.
Result<Shape> without(const Shape& shape, const AxisFlags& axes) {
  std::vector<std::int64_t> dims(shape.dims().begin(), shape.dims().end());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (axes[i]) dims[i] = 1;
  }
  return Shape::make(dims);
}

// f(element, number of the group it belongs to) for all elements of a tensor whose groups are those
// of `kept`, which broadcasts to its shape.
template <typename F>
void for_each_grouped(const Shape& shape, const Shape& kept, F&& f) {
  const BroadcastRuns<1> runs(shape, {kept});
  runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) f(offset + i, offsets[0] + i * runs.step(0));
  });
}

Result<Shape> mean_variance_groups(const Node& node, const Shape& shape) {
  std::vector<std::int64_t> axes = TRY(integers_attribute(node, "axes"));
  if (axes.empty()) axes = {0, 2, 3};
  return without(shape, TRY(check_axes(axes, shape.rank())));
}

Result<std::vector<TensorType>> infer_mean_variance(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  TRY(mean_variance_groups(context.node, x->shape));
  return std::vector<TensorType>{*x};
}

// (x - mean) / (deviation + 1e-9), as the function body of the operator has it.
Status run_mean_variance(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const Shape& shape = x.type.shape;
  if (shape.element_count() == 0) return done();
  const Shape kept = TRY(mean_variance_groups(context.node, shape));
  const std::size_t groups = to_size(kept.element_count());
  const auto size = static_cast<double>(shape.element_count() / kept.element_count());
  const auto means = TRY(Scratch<double>::make(context.memory, groups));
  const auto deviations = TRY(Scratch<double>::make(context.memory, groups));
  std::ranges::fill(means.elements(), 0.0);
  std::ranges::fill(deviations.elements(), 0.0);
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    const T* in = x.elements<T>().data();
    T* out = context.outputs[0].elements<T>().data();
    for_each_grouped(shape, kept, [&](std::size_t i, std::size_t group) {
      means.data()[group] += static_cast<double>(load(in[i]));
    });
    for (double& mean : means.elements()) mean /= size;
    for_each_grouped(shape, kept, [&](std::size_t i, std::size_t group) {
      const double difference = static_cast<double>(load(in[i])) - means.data()[group];
      deviations.data()[group] += difference * difference;
    });
    for (double& deviation : deviations.elements()) deviation = std::sqrt(deviation / size) + 1e-9;
    for_each_grouped(shape, kept, [&](std::size_t i, std::size_t group) {
      const double difference = static_cast<double>(load(in[i])) - means.data()[group];
      out[i] = saturate<T>(difference / deviations.data()[group]);
    });
    return done();
  });
}

struct LpForm {
  bool squares = true;
  Shape kept;
};

Result<LpForm> lp_form(const Node& node, const Shape& shape) {
  const std::int64_t p = TRY(int_attribute(node, "p", 2));
  if (p != 1 && p != 2) return malformed("a norm of order " + std::to_string(p));
  AxisFlags axes{};
  axes[TRY(axis_attribute(node, "axis", -1, shape.rank()))] = true;
  return LpForm{p == 2, TRY(without(shape, axes))};
}

Result<std::vector<TensorType>> infer_lp(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  TRY(lp_form(context.node, x->shape));
  return std::vector<TensorType>{*x};
}

// Zeros stay zeros.
Status run_lp(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const Shape& shape = x.type.shape;
  if (shape.element_count() == 0) return done();
  const LpForm form = TRY(lp_form(context.node, shape));
  const auto norms = TRY(Scratch<double>::make(context.memory, to_size(form.kept.element_count())));
  std::ranges::fill(norms.elements(), 0.0);
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    const T* in = x.elements<T>().data();
    T* out = context.outputs[0].elements<T>().data();
    for_each_grouped(shape, form.kept, [&](std::size_t i, std::size_t group) {
      const auto value = static_cast<double>(load(in[i]));
      norms.data()[group] += form.squares ? value * value : std::fabs(value);
    });
    for (double& norm : norms.elements()) {
      if (form.squares) norm = std::sqrt(norm);
      if (norm == 0.0) norm = 1.0;
    }
    for_each_grouped(shape, form.kept, [&](std::size_t i, std::size_t group) {
      out[i] = saturate<T>(static_cast<double>(load(in[i])) / norms.data()[group]);
    });
    return done();
  });
}

struct LrnForm {
  std::int64_t size = 1;  // channels in a window
  double alpha = 0;
  double beta = 0;
  double bias = 0;
};

Result<LrnForm> lrn_form(const Node& node) {
  LrnForm form;
  form.size = TRY(int_attribute(node, "size", 0));
  if (form.size < 1) return malformed("a window of " + std::to_string(form.size) + " channels");
  form.alpha = static_cast<double>(TRY(float_attribute(node, "alpha", 1e-4F)));
  form.beta = static_cast<double>(TRY(float_attribute(node, "beta", 0.75F)));
  form.bias = static_cast<double>(TRY(float_attribute(node, "bias", 1.0F)));
  return form;
}

Result<std::vector<TensorType>> infer_lrn(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  if (x->shape.rank() < 2) return malformed("shape " + to_string(x->shape) + " has no channels");
  TRY(lrn_form(context.node));
  return std::vector<TensorType>{*x};
}

Status run_lrn(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  if (x.type.shape.element_count() == 0) return done();
  const LrnForm form = TRY(lrn_form(context.node));
  const std::int64_t channels = x.type.shape[1];
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = x.elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    const std::size_t pixels = in.size() / to_size(x.type.shape[0] * channels);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto channel = static_cast<std::int64_t>(i / pixels) % channels;
      const std::int64_t before = std::min((form.size - 1) / 2, channel);
      const std::int64_t after = std::min(form.size / 2, channels - 1 - channel);
      double squares = 0;
      for (std::size_t c = 0; c <= to_size(before + after); ++c) {
        const std::size_t from = i + c * pixels - to_size(before) * pixels;
        const auto value = static_cast<double>(load(in[from]));
        squares += value * value;
      }
      const double base = form.bias + form.alpha / static_cast<double>(form.size) * squares;
      out[i] = saturate<T>(static_cast<double>(load(in[i])) / std::pow(base, form.beta));
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"LRN", 1, kLastOpset, 1, 1, 1, infer_lrn, run_lrn, "alpha beta bias size"},
    {"LpNormalization", 1, kLastOpset, 1, 1, 1, infer_lp, run_lp, "axis p"},
    {"MeanVarianceNormalization", 9, kLastOpset, 1, 1, 1, infer_mean_variance, run_mean_variance,
     "axes"},
};

}  // namespace

std::span<const Operator> normalize_axes_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
