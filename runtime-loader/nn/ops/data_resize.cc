// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "runtime-loader/nn/ops/data_resize_axis.h"
#include "runtime-loader/nn/ops/data_tables.h"
#include "runtime-loader/nn/ops/math_scratch.h"

// Resize and Upsample, one axis after the other: interpolation along several axes is the product of
// those along each.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

// The value of a text attribute as the position of its name among `names`.
template <typename T, std::size_t kCount>
Result<T> choose(const Node& node, const char* attribute, const char* const (&names)[kCount]) {
  const std::string given = TRY(text_attribute(node, attribute, names[0]));
  for (std::size_t i = 0; i < kCount; ++i) {
    if (given == names[i]) return static_cast<T>(i);
  }
  return malformed(std::string(attribute) + " " + shown(given));
}

constexpr const char* kInterpolations[] = {"nearest", "linear", "cubic"};
constexpr const char* kCoordinates[] = {"half_pixel", "pytorch_half_pixel",   "align_corners",
                                        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
constexpr const char* kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

Result<ResizeMode> read_mode(const Node& node, std::int64_t opset) {
  ResizeMode mode;
  mode.interpolation = TRY(choose<Interpolation>(node, "mode", kInterpolations));
  if (opset < 11) {
    if (mode.interpolation == Interpolation::kCubic) return malformed("mode 'cubic' in opset 10");
    mode.coordinates = Coordinates::kAsymmetric;
    mode.nearest = Nearest::kFloor;
    return mode;
  }
  mode.coordinates = TRY(choose<Coordinates>(node, "coordinate_transformation_mode", kCoordinates));
  if (mode.coordinates == Coordinates::kTfHalfPixel && opset >= 13) {
    return malformed("coordinate_transformation_mode of opset 11");
  }
  mode.nearest = TRY(choose<Nearest>(node, "nearest_mode", kNearest));
  mode.cubic_a = static_cast<double>(TRY(float_attribute(node, "cubic_coeff_a", -0.75F)));
  mode.exclude_outside = TRY(bool_attribute(node, "exclude_outside", false));
  mode.extrapolation = TRY(float_attribute(node, "extrapolation_value", 0));
  return mode;
}

// Inputs by their names: in opset 11 roi came in between.
struct ResizeInputs {
  std::size_t roi, scales, sizes;
};
ResizeInputs input_places(std::int64_t opset) {
  return opset < 11 ? ResizeInputs{SIZE_MAX, 1, SIZE_MAX} : ResizeInputs{1, 2, 3};
}

Result<std::int64_t> scaled(std::int64_t in, float scale) {
  if (!(scale > 0) || std::isinf(scale)) return malformed("a scale of " + std::to_string(scale));
  const double out = std::floor(static_cast<double>(in) * static_cast<double>(scale));
  if (out <= static_cast<double>(kMaxElements)) return static_cast<std::int64_t>(out);
  return Error(ErrorCode::kLimit, "a scale of " + std::to_string(scale));
}

// Whether an optional input is there and not the empty tensor that also means it is not.
bool is_given(const std::vector<ConstTensor>& inputs, std::size_t index) {
  return index < inputs.size() && inputs[index].data != nullptr &&
         inputs[index].type.shape.element_count() != 0;
}

Result<std::vector<ResizeAxis>> resize_axes(const Shape& in, const std::vector<ConstTensor>& inputs,
                                            const ResizeInputs& places) {
  std::vector<ResizeAxis> axes;
  for (const std::int64_t dim : in.dims()) axes.push_back({dim, dim, 1, 0, 1});
  const bool by_scale = is_given(inputs, places.scales);
  const bool by_size = is_given(inputs, places.sizes);
  if (by_scale == by_size) return malformed("one of scales and sizes is to be given");
  const ConstTensor& given = inputs[by_scale ? places.scales : places.sizes];
  if (given.type.shape.rank() != 1 || std::cmp_not_equal(given.type.shape[0], in.rank()) ||
      given.type.dtype != (by_scale ? DType::kF32 : DType::kI64)) {
    return malformed(std::string(by_scale ? "scales" : "sizes") + " of type " +
                     to_string(given.type.dtype) + to_string(given.type.shape));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = axes[i];
    if (by_scale) {
      const float scale = given.elements<float>()[i];
      axis.out = TRY(scaled(axis.in, scale));
      axis.scale = static_cast<double>(scale);
    } else {
      axis.out = given.elements<std::int64_t>()[i];
      if (axis.out < 0) return malformed("a size of " + std::to_string(axis.out));
      if (axis.in != 0) axis.scale = static_cast<double>(axis.out) / static_cast<double>(axis.in);
    }
    if (axis.in == 0 && axis.out != 0) return malformed("an empty axis cannot grow");
  }
  return axes;
}

Status check_roi(const InferContext& context, const ResizeMode& mode, std::size_t place) {
  if (mode.coordinates != Coordinates::kTfCrop) return done();
  if (!has_input(context, place)) return malformed("input roi is missing");
  const TensorType& roi = *TRY(typed_input<FloatTypes>(context, place));
  if (roi.shape == Shape{static_cast<std::int64_t>(2 * context.inputs[0]->shape.rank())}) {
    return done();
  }
  return malformed("roi of shape " + to_string(roi.shape));
}

Types infer_resize(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const ResizeMode mode = TRY(read_mode(context.node, context.opset));
  if (mode.interpolation != Interpolation::kNearest) TRY(typed_input<NumberTypes>(context, 0));
  const ResizeInputs places = input_places(context.opset);
  for (const std::size_t place : {places.scales, places.sizes}) {
    if (has_input(context, place) && context.inputs[place]->shape.element_count() != 0 &&
        context.constants[place].data == nullptr) {
      return unsupported("the output's shape depends on scales or sizes that are not constant");
    }
  }
  TRY(check_roi(context, mode, places.roi));
  std::vector<std::int64_t> dims;
  for (const ResizeAxis& axis : TRY(resize_axes(in.shape, context.constants, places))) {
    dims.push_back(axis.out);
  }
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

bool is_identity(const ResizeMode& mode, const ResizeAxis& axis) {
  return axis.in == axis.out && axis.scale == 1 && mode.coordinates != Coordinates::kTfCrop &&
         mode.coordinates != Coordinates::kTfHalfPixel;
}

// [outer][in][inner] to [outer][out][inner].
struct Lines {
  std::int64_t outer = 1;
  std::int64_t inner = 1;
};

void interpolate(const ResizeMode& mode, const ResizeAxis& axis, const Lines& lines,
                 const float* from, float* to) {
  const std::size_t count = tap_count(mode.interpolation);
  for (std::int64_t at = 0; at < axis.out; ++at) {
    const Taps taps = taps_at(mode, axis, at);
    for (std::int64_t outer = 0; outer < lines.outer; ++outer) {
      const float* line = from + outer * axis.in * lines.inner;
      float* out = to + (outer * axis.out + at) * lines.inner;
      if (taps.outside) {
        std::fill_n(out, lines.inner, mode.extrapolation);
        continue;
      }
      for (std::int64_t i = 0; i < lines.inner; ++i) {
        float sum = 0;
        for (std::size_t tap = 0; tap < count; ++tap) {
          sum += taps.weight[tap] * line[taps.index[tap] * lines.inner + i];
        }
        out[i] = sum;
      }
    }
  }
}

// Axes that shrink come first: no tensor in between has more elements than both ends.
std::vector<std::size_t> working_order(const std::vector<ResizeAxis>& axes) {
  std::vector<std::size_t> order(axes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return axes[i].out < axes[i].in; });
  return order;
}

Status resize_by_sums(RunContext& context, const ResizeMode& mode,
                      const std::vector<ResizeAxis>& axes) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const std::size_t most =
      to_size(std::max(in.type.shape.element_count(), out.type.shape.element_count()));
  const auto a = TRY(Scratch<float>::make(context.memory, most));
  const auto b = TRY(Scratch<float>::make(context.memory, most));
  float* from = a.data();
  float* to = b.data();
  dispatch(NumberTypes{}, in.type.dtype, [&]<typename T>() {
    const std::span<const T> elements = in.elements<T>();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      from[i] = static_cast<float>(load(elements[i]));
    }
    return 0;
  });
  std::vector<std::int64_t> dims = to_list(in.type.shape);
  for (const std::size_t i : working_order(axes)) {
    if (is_identity(mode, axes[i])) continue;
    Lines lines;
    for (std::size_t k = 0; k < dims.size(); ++k) {
      if (k != i) (k < i ? lines.outer : lines.inner) *= dims[k];
    }
    interpolate(mode, axes[i], lines, from, to);
    dims[i] = axes[i].out;
    std::swap(from, to);
  }
  dispatch(NumberTypes{}, in.type.dtype, [&]<typename T>() {
    const std::span<T> elements = out.elements<T>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = saturate<T>(from[i]);
    return 0;
  });
  return done();
}

// The extrapolation value as an element.
std::array<std::uint8_t, 8> extrapolated(const ResizeMode& mode, DType dtype) {
  std::array<std::uint8_t, 8> bytes{};
  dispatch(AllTypes{}, dtype, [&]<typename T>() {
    const T element = saturate<T>(mode.extrapolation);
    std::memcpy(bytes.data(), &element, sizeof element);
    return 0;
  });
  return bytes;
}

// Source offsets in bytes of every output index, all axes one after the other; -1 outside.
Result<Scratch<std::int64_t>> nearest_offsets(RunContext& context, const ResizeMode& mode,
                                              const std::vector<ResizeAxis>& axes) {
  const auto strides = byte_strides(context.inputs[0].type);
  std::size_t count = 0;
  for (const ResizeAxis& axis : axes) count += to_size(axis.out);
  auto offsets = TRY(Scratch<std::int64_t>::make(context.memory, count));
  std::int64_t* next = offsets.data();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    for (std::int64_t at = 0; at < axes[i].out; ++at) {
      const Taps taps = taps_at(mode, axes[i], at);
      *next++ = taps.outside ? -1 : taps.index[0] * strides[i];
    }
  }
  return offsets;
}

Status resize_nearest(RunContext& context, const ResizeMode& mode,
                      const std::vector<ResizeAxis>& axes) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const auto offsets = TRY(nearest_offsets(context, mode, axes));
  const auto value = extrapolated(mode, in.type.dtype);
  const std::size_t size = element_size(in.type.dtype);
  const std::size_t last = axes.size() - 1;
  std::uint8_t* to = out.data;
  Odometer at(out.type.shape.dims().first(last));
  do {
    const std::int64_t* table = offsets.data();
    std::int64_t base = 0;
    for (std::size_t i = 0; i < last; table += axes[i++].out) {
      const std::int64_t offset = table[at[i]];
      base = base < 0 || offset < 0 ? -1 : base + offset;
    }
    for (std::int64_t i = 0; i < axes[last].out; ++i, to += size) {
      const bool inside = base >= 0 && table[i] >= 0;
      std::memcpy(to, inside ? in.data + base + table[i] : value.data(), size);
    }
  } while (at.next());
  return done();
}

Status run_resize(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const ResizeMode mode = TRY(read_mode(context.node, context.opset));
  const ResizeInputs places = input_places(context.opset);
  std::vector<ResizeAxis> axes = TRY(resize_axes(in.type.shape, context.inputs, places));
  if (mode.coordinates == Coordinates::kTfCrop) {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      axes[i].roi_start = number_at(context.inputs[places.roi], i);
      axes[i].roi_end = number_at(context.inputs[places.roi], axes.size() + i);
    }
  }
  if (mode.interpolation == Interpolation::kNearest) return resize_nearest(context, mode, axes);
  return resize_by_sums(context, mode, axes);
}

constexpr const char* kAttributes =
    "coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value mode "
    "nearest_mode";

constexpr Operator kOperators[] = {
    {"Resize", 10, 10, 2, 2, 1, infer_resize, run_resize, "mode"},
    {"Resize", 11, 12, 3, 4, 1, infer_resize, run_resize, kAttributes},
    {"Resize", 13, kLastOpset, 1, 4, 1, infer_resize, run_resize, kAttributes},
    {"Upsample", 9, 9, 2, 2, 1, infer_resize, run_resize, "mode"},
};

}  // namespace

std::span<const Operator> data_resize_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
