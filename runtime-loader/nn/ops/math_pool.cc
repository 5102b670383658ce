// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_pool.h"

#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {

Visit visit(const Window& window, const Window::Numbers& position) {
  Visit inside;
  for (std::size_t axis = 0; axis < window.rank; ++axis) {
    const std::int64_t dilation = window.dilation[axis];
    const std::int64_t start = position[axis] * window.stride[axis] - window.pad_begin[axis];
    const std::int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
    const std::int64_t room = window.input[axis] - start;  // taps before it are inside
    const std::int64_t end =
        room <= 0 ? 0 : std::min(window.kernel[axis], (room + dilation - 1) / dilation);
    inside.first[axis] = start + skipped * dilation;
    inside.count[axis] = std::max<std::int64_t>(end - skipped, 0);
    inside.total *= inside.count[axis];
  }
  return inside;
}

namespace {

// Of an image with the type and window of input 0, one output or more.
struct PoolForm {
  Window window;
  Shape output;
  std::size_t planes = 0;
  std::size_t in_pixels = 0;
  std::size_t out_pixels = 0;
};

Result<PoolForm> pool_form(const Node& node, const Shape& input) {
  TRY(check_image(input));
  PoolForm form;
  form.window = TRY(pool_window(node, spatial(input)));
  form.output = TRY(image_shape(input[0], input[1], form.window));
  form.planes = to_size(input[0] * input[1]);
  form.in_pixels = count(form.window, form.window.input);
  form.out_pixels = count(form.window, form.window.output);
  if (form.output.element_count() == 0) form.planes = 0;
  return form;
}

using PoolTypes = TypeSet<float, double, Float16, BFloat16, std::int8_t, std::uint8_t>;

Result<std::vector<TensorType>> infer_max_pool(const InferContext& context) {
  const TensorType* input = TRY(typed_input<PoolTypes>(context, 0));
  const PoolForm form = TRY(pool_form(context.node, input->shape));
  TRY(bool_attribute(context.node, "storage_order", false));
  return std::vector<TensorType>{{input->dtype, form.output}, {DType::kI64, form.output}};
}

// The number of a pixel where the first spatial dimension is the innermost.
std::int64_t column_major(const Window& window, std::size_t pixel) {
  std::int64_t number = 0;
  std::int64_t rest = static_cast<std::int64_t>(pixel);
  for (std::size_t axis = window.rank; axis-- > 0;) {
    const std::int64_t position = rest % window.input[axis];
    rest /= window.input[axis];
    std::int64_t stride = 1;
    for (std::size_t outer = 0; outer < axis; ++outer) stride *= window.input[outer];
    number += position * stride;
  }
  return number;
}

// A window without any input gives the least number and index 0.
template <typename T>
void max_pool(const PoolForm& form, bool by_column, const ConstTensor& input, const Tensor* output,
              const Tensor* indices) {
  using C = Computed<T>;
  for (std::size_t plane = 0; plane < form.planes; ++plane) {
    const T* in = input.elements<T>().data() + plane * form.in_pixels;
    const std::size_t first = plane * form.out_pixels;
    for_each_window(form.window, [&](std::size_t pixel, const Visit& inside) {
      C best = std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity()
                                                    : std::numeric_limits<C>::lowest();
      std::size_t where = 0;
      bool found = false;
      for_each_element(form.window, inside, [&](std::size_t i) {
        const C value = load(in[i]);
        const bool is_nan = value != value;
        if (!found || value > best || (is_nan && best == best)) {
          best = value;
          where = i;
          found = true;
        }
      });
      if (output != nullptr) output->elements<T>()[first + pixel] = store<T>(best);
      if (indices == nullptr) return;
      const std::int64_t inside_plane =
          by_column && found ? column_major(form.window, where) : static_cast<std::int64_t>(where);
      indices->elements<std::int64_t>()[first + pixel] =
          static_cast<std::int64_t>(plane * form.in_pixels) + inside_plane;
    });
  }
}

Status run_max_pool(RunContext& context) {
  const ConstTensor& input = context.inputs[0];
  const PoolForm form = TRY(pool_form(context.node, input.type.shape));
  const bool by_column = TRY(bool_attribute(context.node, "storage_order", false));
  return dispatch(PoolTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    max_pool<T>(form, by_column, input, optional_output(context, 0), optional_output(context, 1));
    return done();
  });
}

Result<std::vector<TensorType>> infer_average_pool(const InferContext& context) {
  const TensorType* input = TRY(typed_input<FloatTypes>(context, 0));
  const PoolForm form = TRY(pool_form(context.node, input->shape));
  TRY(bool_attribute(context.node, "count_include_pad", false));
  return std::vector<TensorType>{{input->dtype, form.output}};
}

// Elements of a window inside the input and its padding.
double padded_size(const Window& window, std::size_t pixel) {
  double size = 1;
  std::int64_t rest = static_cast<std::int64_t>(pixel);
  for (std::size_t axis = window.rank; axis-- > 0;) {
    const std::int64_t start = rest % window.output[axis] * window.stride[axis];
    rest /= window.output[axis];
    const std::int64_t end = window.pad_begin[axis] + window.input[axis] + window.pad_end[axis];
    const std::int64_t dilation = window.dilation[axis];
    const std::int64_t taps = (end - start + dilation - 1) / dilation;
    size *= static_cast<double>(std::min(window.kernel[axis], taps));
  }
  return size;
}

Status run_average_pool(RunContext& context) {
  const ConstTensor& input = context.inputs[0];
  const PoolForm form = TRY(pool_form(context.node, input.type.shape));
  const bool with_padding = TRY(bool_attribute(context.node, "count_include_pad", false));
  return dispatch(FloatTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    for (std::size_t plane = 0; plane < form.planes; ++plane) {
      const T* in = input.elements<T>().data() + plane * form.in_pixels;
      T* out = context.outputs[0].elements<T>().data() + plane * form.out_pixels;
      for_each_window(form.window, [&](std::size_t pixel, const Visit& inside) {
        C sum = 0;
        for_each_element(form.window, inside, [&](std::size_t i) { sum += load(in[i]); });
        const double size =
            with_padding ? padded_size(form.window, pixel) : static_cast<double>(inside.total);
        out[pixel] = store<T>(inside.total == 0 ? C{0} : sum / static_cast<C>(size));
      });
    }
    return done();
  });
}

// |x|^p, summed by the caller, who takes the root.
template <typename C>
C power_of(C x, std::int64_t p) {
  if (p == 1) return std::fabs(x);
  if (p == 2) return x * x;
  return std::pow(std::fabs(x), static_cast<C>(p));
}
template <typename C>
C root_of(C sum, std::int64_t p) {
  if (p == 1) return sum;
  if (p == 2) return std::sqrt(sum);
  return std::pow(sum, C{1} / static_cast<C>(p));
}

Result<std::int64_t> norm_order(const Node& node) {
  const std::int64_t p = TRY(int_attribute(node, "p", 2));
  if (p < 1) return malformed("a norm of order " + std::to_string(p));
  return p;
}

Result<std::vector<TensorType>> infer_lp_pool(const InferContext& context) {
  const TensorType* input = TRY(typed_input<FloatTypes>(context, 0));
  const PoolForm form = TRY(pool_form(context.node, input->shape));
  TRY(norm_order(context.node));
  return std::vector<TensorType>{{input->dtype, form.output}};
}

Status run_lp_pool(RunContext& context) {
  const ConstTensor& input = context.inputs[0];
  const PoolForm form = TRY(pool_form(context.node, input.type.shape));
  const std::int64_t p = TRY(norm_order(context.node));
  return dispatch(FloatTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    using C = Computed<T>;
    for (std::size_t plane = 0; plane < form.planes; ++plane) {
      const T* in = input.elements<T>().data() + plane * form.in_pixels;
      T* out = context.outputs[0].elements<T>().data() + plane * form.out_pixels;
      for_each_window(form.window, [&](std::size_t pixel, const Visit& inside) {
        C sum = 0;
        for_each_element(form.window, inside,
                         [&](std::size_t i) { sum += power_of(load(in[i]), p); });
        out[pixel] = store<T>(root_of(sum, p));
      });
    }
    return done();
  });
}

// Pooling over all of every plane.
Result<std::vector<TensorType>> infer_global(const InferContext& context) {
  const TensorType* input = TRY(typed_input<FloatTypes>(context, 0));
  TRY(check_image(input->shape));
  TRY(norm_order(context.node));
  std::array<std::int64_t, kMaxRank> dims{input->shape[0], input->shape[1]};
  std::fill(dims.begin() + 2, dims.end(), 1);
  return std::vector<TensorType>{
      {input->dtype, TRY(Shape::make({dims.data(), input->shape.rank()}))}};
}

// reduce(elements of a plane) is its output.
template <typename Reduce>
Status run_global(RunContext& context, const Reduce& reduce) {
  const ConstTensor& input = context.inputs[0];
  return dispatch(FloatTypes{}, input.type.dtype, [&]<typename T>() -> Status {
    const std::span<T> out = context.outputs[0].elements<T>();
    if (out.empty()) return done();
    const std::span<const T> in = input.elements<T>();
    const std::size_t pixels = in.size() / out.size();
    for (std::size_t plane = 0; plane < out.size(); ++plane) {
      out[plane] = store<T>(reduce(in.subspan(plane * pixels, pixels)));
    }
    return done();
  });
}

Status run_global_average(RunContext& context) {
  return run_global(context, []<typename T>(std::span<const T> plane) {
    Computed<T> sum = 0;
    for (const T& x : plane) sum += load(x);
    return sum / static_cast<Computed<T>>(plane.size());
  });
}

Status run_global_max(RunContext& context) {
  return run_global(context, []<typename T>(std::span<const T> plane) {
    auto best = -std::numeric_limits<Computed<T>>::infinity();
    for (const T& x : plane) {
      const auto value = load(x);
      if (value > best || value != value) best = value;
    }
    return best;
  });
}

Status run_global_lp(RunContext& context) {
  const std::int64_t p = TRY(norm_order(context.node));
  return run_global(context, [p]<typename T>(std::span<const T> plane) {
    Computed<T> sum = 0;
    for (const T& x : plane) sum += power_of(load(x), p);
    return root_of(sum, p);
  });
}

constexpr char kMaxPool8[] = "auto_pad kernel_shape pads storage_order strides";
constexpr char kMaxPool10[] =
    "auto_pad ceil_mode dilations kernel_shape pads storage_order strides";
constexpr char kAverage7[] = "auto_pad count_include_pad kernel_shape pads strides";
constexpr char kAverage10[] = "auto_pad ceil_mode count_include_pad kernel_shape pads strides";
constexpr Operator kOperators[] = {
    {"AveragePool", 7, 9, 1, 1, 1, infer_average_pool, run_average_pool, kAverage7},
    {"AveragePool", 10, kLastOpset, 1, 1, 1, infer_average_pool, run_average_pool, kAverage10},
    {"GlobalAveragePool", 1, kLastOpset, 1, 1, 1, infer_global, run_global_average},
    {"GlobalLpPool", 2, kLastOpset, 1, 1, 1, infer_global, run_global_lp, "p"},
    {"GlobalMaxPool", 1, kLastOpset, 1, 1, 1, infer_global, run_global_max},
    {"LpPool", 2, kLastOpset, 1, 1, 1, infer_lp_pool, run_lp_pool,
     "auto_pad kernel_shape p pads strides"},
    {"MaxPool", 8, 9, 1, 1, 2, infer_max_pool, run_max_pool, kMaxPool8},
    {"MaxPool", 10, kLastOpset, 1, 1, 2, infer_max_pool, run_max_pool, kMaxPool10},
};

}  // namespace

std::span<const Operator> pool_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
