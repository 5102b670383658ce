// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/math_broadcast.h"
#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_tables.h"
#include "runtime-loader/nn/ops/math_window.h"

namespace sealpack::nn {
namespace {

struct Moments {
  double mean = 0;
  double variance = 0;
};

template <typename T>
Moments moments(std::span<const T> elements) {
  Moments result;
  const auto count = static_cast<double>(elements.size());
  for (const T& x : elements) result.mean += static_cast<double>(load(x));
  result.mean /= count;
  for (const T& x : elements) {
    const double difference = static_cast<double>(load(x)) - result.mean;
    result.variance += difference * difference;
  }
  result.variance /= count;
  return result;
}

Result<float> epsilon(const Node& node) {
  const float value = TRY(float_attribute(node, "epsilon", 1e-5F));
  if (!(value >= 0)) return malformed("epsilon is " + std::to_string(value));
  return value;
}

// Statistics as they are stored, for outputs that only training has.
Result<std::vector<TensorType>> infer_batch(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  if (x->shape.rank() < 2) return malformed("shape " + to_string(x->shape) + " has no channels");
  for (std::size_t i = 1; i < 5; ++i) {
    const TensorType* parameter = TRY(typed_input<FloatTypes>(context, i));
    TRY(check_input(context, i, {parameter->dtype, Shape{x->shape[1]}}));
  }
  TRY(epsilon(context.node));
  TRY(float_attribute(context.node, "momentum", 0.9F));
  if (TRY(bool_attribute(context.node, "training_mode", false))) {
    return unsupported("training_mode 1: only inference is supported");
  }
  const std::vector<ValueId>& outputs = context.node.outputs;
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    if (outputs[i] != kNoValue) {
      return unsupported("statistics as outputs: only inference is supported");
    }
  }
  std::vector<TensorType> types(std::max<std::size_t>(outputs.size(), 1), *context.inputs[3]);
  types[0] = *x;
  return types;
}

Status run_batch(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  if (x.type.shape.element_count() == 0) return done();
  const double small = static_cast<double>(TRY(epsilon(context.node)));
  const std::size_t channels = to_size(x.type.shape[1]);
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const std::span<const T> in = x.elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    const std::size_t planes = to_size(x.type.shape[0]) * channels;
    const std::size_t pixels = in.size() / planes;
    for (std::size_t plane = 0; plane < planes; ++plane) {
      const std::size_t channel = plane % channels;
      const double deviation = std::sqrt(number_at(context.inputs[4], channel) + small);
      const C factor = static_cast<C>(number_at(context.inputs[1], channel) / deviation);
      const C shift = static_cast<C>(number_at(context.inputs[2], channel));
      const C mean = static_cast<C>(number_at(context.inputs[3], channel));
      for (std::size_t i = plane * pixels; i < (plane + 1) * pixels; ++i) {
        out[i] = store<T>((load(in[i]) - mean) * factor + shift);
      }
    }
    return done();
  });
}

Result<std::vector<TensorType>> infer_instance(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  TRY(check_image(x->shape));
  TRY(check_input(context, 1, {x->dtype, Shape{x->shape[1]}}));
  TRY(check_input(context, 2, {x->dtype, Shape{x->shape[1]}}));
  TRY(epsilon(context.node));
  return std::vector<TensorType>{*x};
}

Status run_instance(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  if (x.type.shape.element_count() == 0) return done();
  const double small = static_cast<double>(TRY(epsilon(context.node)));
  const std::size_t channels = to_size(x.type.shape[1]);
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const std::span<const T> in = x.elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    const std::size_t planes = to_size(x.type.shape[0]) * channels;
    const std::size_t pixels = in.size() / planes;
    for (std::size_t plane = 0; plane < planes; ++plane) {
      const Moments found = moments(in.subspan(plane * pixels, pixels));
      const double scale = number_at(context.inputs[1], plane % channels);
      const C factor = static_cast<C>(scale / std::sqrt(found.variance + small));
      const C shift = load(context.inputs[2].elements<T>()[plane % channels]);
      const C mean = static_cast<C>(found.mean);
      for (std::size_t i = plane * pixels; i < (plane + 1) * pixels; ++i) {
        out[i] = store<T>((load(in[i]) - mean) * factor + shift);
      }
    }
    return done();
  });
}

// x is [rows][width]; scale and bias broadcast to the width.
struct LayerForm {
  std::size_t rows = 1;
  std::size_t width = 1;
  Shape normalized;
  Shape statistics;
};

Result<LayerForm> layer_form(const Node& node, const Shape& x) {
  const std::size_t axis = TRY(axis_attribute(node, "axis", -1, x.rank()));
  LayerForm form;
  std::vector<std::int64_t> statistics;
  for (std::size_t i = 0; i < x.rank(); ++i) {
    (i < axis ? form.rows : form.width) *= to_size(x[i]);
    statistics.push_back(i < axis ? x[i] : 1);
  }
  form.normalized = TRY(Shape::make(x.dims().subspan(axis)));
  form.statistics = TRY(Shape::make(statistics));
  return form;
}

Result<std::vector<TensorType>> infer_layer(const InferContext& context) {
  const TensorType* x = TRY(typed_input<FloatTypes>(context, 0));
  const LayerForm form = TRY(layer_form(context.node, x->shape));
  for (std::size_t i = 1; i <= 2; ++i) {
    const TensorType* parameter = optional_input(context, i);
    if (parameter == nullptr) continue;
    TRY(check_same_type(context, 0, i));
    if (!broadcasts_to(parameter->shape, form.normalized)) {
      return malformed("input " + std::to_string(i) + to_string(parameter->shape) +
                       " does not broadcast to " + to_string(form.normalized));
    }
  }
  TRY(epsilon(context.node));
  const std::int64_t stash = TRY(int_attribute(context.node, "stash_type", 1));
  if (stash != 1 && stash != 16) return malformed("stash_type is " + std::to_string(stash));
  const TensorType statistics{stash == 1 ? DType::kF32 : DType::kBF16, form.statistics};
  return std::vector<TensorType>{*x, statistics, statistics};
}

// A parameter of a layer normalization, one element for each of the width.
template <typename T>
Result<Scratch<Computed<T>>> widen(const ConstTensor& parameter, const Shape& shape,
                                   Memory& memory) {
  Scratch<Computed<T>> wide =
      TRY(Scratch<Computed<T>>::make(memory, to_size(shape.element_count())));
  const T* in = parameter.elements<T>().data();
  const BroadcastRuns<1> runs(shape, {parameter.type.shape});
  runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      wide.data()[offset + i] = load(in[offsets[0] + i * runs.step(0)]);
    }
  });
  return wide;
}

void put_statistic(const Tensor* to, std::size_t row, double value) {
  if (to == nullptr) return;
  dispatch(TypeSet<float, BFloat16>{}, to->type.dtype, [&]<typename T>() -> Status {
    to->elements<T>()[row] = store<T>(static_cast<float>(value));
    return done();
  }).ok();
}

Status run_layer(RunContext& context) {
  const ConstTensor& x = context.inputs[0];
  const bool has_statistics =
      optional_output(context, 1) != nullptr || optional_output(context, 2) != nullptr;
  if (x.type.shape.element_count() == 0 && !has_statistics) return done();
  const LayerForm form = TRY(layer_form(context.node, x.type.shape));
  const double small = static_cast<double>(TRY(epsilon(context.node)));
  return dispatch(FloatTypes{}, x.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    const auto scale = TRY(widen<T>(context.inputs[1], form.normalized, context.memory));
    const ConstTensor* bias = optional_input(context, 2);
    const auto shift = bias == nullptr ? TRY(Scratch<C>::make(context.memory, 0))
                                       : TRY(widen<T>(*bias, form.normalized, context.memory));
    const Tensor* output = optional_output(context, 0);
    for (std::size_t row = 0; row < form.rows; ++row) {
      const auto in = x.elements<T>().subspan(row * form.width, form.width);
      const Moments found = moments(in);
      const double inverse = 1.0 / std::sqrt(found.variance + small);
      put_statistic(optional_output(context, 1), row, found.mean);
      put_statistic(optional_output(context, 2), row, inverse);
      if (output == nullptr) continue;
      T* out = output->elements<T>().data() + row * form.width;
      const C mean = static_cast<C>(found.mean);
      for (std::size_t i = 0; i < form.width; ++i) {
        const C normalized = (load(in[i]) - mean) * static_cast<C>(inverse);
        const C term = bias == nullptr ? C{0} : shift.data()[i];
        out[i] = store<T>(normalized * scale.data()[i] + term);
      }
    }
    return done();
  });
}

constexpr Operator kOperators[] = {
    {"BatchNormalization", 9, 13, 5, 5, 5, infer_batch, run_batch, "epsilon momentum"},
    {"BatchNormalization", 14, kLastOpset, 5, 5, 3, infer_batch, run_batch,
     "epsilon momentum training_mode"},
    {"InstanceNormalization", 6, kLastOpset, 3, 3, 1, infer_instance, run_instance, "epsilon"},
    {"LayerNormalization", 17, kLastOpset, 2, 3, 3, infer_layer, run_layer,
     "axis epsilon stash_type"},
};

}  // namespace

std::span<const Operator> normalize_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
