// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Slice, Pad and Compress: parts of a tensor, and a tensor with a border.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

// What Slice takes of one axis: `count` indexes from `start`, `step` apart.
struct Range {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

Range clamp_range(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t dim) {
  // No step beyond the dimension makes a difference.
  step = std::clamp(step, -kMaxElements, kMaxElements);
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  Range range{0, step, 0};
  if (step > 0) {
    range.start = std::clamp<std::int64_t>(start, 0, dim);
    end = std::clamp<std::int64_t>(end, 0, dim);
    if (end > range.start) range.count = (end - range.start - 1) / step + 1;
  } else {
    range.start = std::clamp<std::int64_t>(start, -1, dim - 1);
    end = std::clamp<std::int64_t>(end, -1, dim - 1);
    if (range.start > end) range.count = (range.start - end - 1) / -step + 1;
  }
  return range;
}

struct SliceInputs {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

// One range an axis of `shape`.
Result<std::vector<Range>> slice_ranges(const SliceInputs& in, const Shape& shape) {
  const std::size_t count = in.starts.size();
  if (in.ends.size() != count || (!in.axes.empty() && in.axes.size() != count) ||
      (!in.steps.empty() && in.steps.size() != count) || count > shape.rank()) {
    return malformed(std::to_string(count) + " starts, " + std::to_string(in.ends.size()) +
                     " ends, " + std::to_string(in.axes.size()) + " axes and " +
                     std::to_string(in.steps.size()) + " steps for a tensor of rank " +
                     std::to_string(shape.rank()));
  }
  TRY(check_axes(in.axes, shape.rank()));
  std::vector<Range> ranges;
  for (const std::int64_t dim : shape.dims()) ranges.push_back({0, 1, dim});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t axis = in.axes.empty() ? i : TRY(to_axis(in.axes[i], shape.rank()));
    const std::int64_t step = in.steps.empty() ? 1 : in.steps[i];
    if (step == 0) return malformed("a step of 0");
    ranges[axis] = clamp_range(in.starts[i], in.ends[i], step, shape[axis]);
  }
  return ranges;
}

Types sliced_type(const TensorType& in, const SliceInputs& inputs) {
  std::vector<std::int64_t> dims;
  for (const Range& range : TRY(slice_ranges(inputs, in.shape))) dims.push_back(range.count);
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Result<SliceInputs> slice_attributes(const Node& node) {
  SliceInputs inputs;
  inputs.starts = TRY(integers_attribute(node, "starts"));
  inputs.ends = TRY(integers_attribute(node, "ends"));
  inputs.axes = TRY(integers_attribute(node, "axes"));
  return inputs;
}

Types infer_slice_9(const InferContext& context) {
  return sliced_type(*context.inputs[0], TRY(slice_attributes(context.node)));
}

Types infer_slice(const InferContext& context) {
  SliceInputs inputs;
  inputs.starts = TRY(constant_integers(context, 1, "starts"));
  inputs.ends = TRY(constant_integers(context, 2, "ends"));
  if (has_input(context, 3)) inputs.axes = TRY(constant_integers(context, 3, "axes"));
  if (has_input(context, 4)) inputs.steps = TRY(constant_integers(context, 4, "steps"));
  for (std::size_t i = 2; i < context.inputs.size(); ++i) {
    if (has_input(context, i)) TRY(check_same_type(context, 1, i));
  }
  return sliced_type(*context.inputs[0], inputs);
}

void copy_slice(const ConstTensor& in, const Tensor& out, const std::vector<Range>& ranges) {
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  std::int64_t offset = 0;
  std::vector<CopyAxis> axes;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    offset += ranges[i].start * from[i];
    axes.push_back({ranges[i].count, ranges[i].step * from[i], to[i]});
  }
  copy_elements(in.data + offset, out.data, element_size(in.type.dtype), axes);
}

Status run_slice_9(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const SliceInputs inputs = TRY(slice_attributes(context.node));
  copy_slice(in, context.outputs[0], TRY(slice_ranges(inputs, in.type.shape)));
  return done();
}

Status run_slice(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  SliceInputs inputs;
  inputs.starts = TRY(to_integers(context.inputs[1]));
  inputs.ends = TRY(to_integers(context.inputs[2]));
  if (has_input(context, 3)) inputs.axes = TRY(to_integers(context.inputs[3]));
  if (has_input(context, 4)) inputs.steps = TRY(to_integers(context.inputs[4]));
  copy_slice(in, context.outputs[0], TRY(slice_ranges(inputs, in.type.shape)));
  return done();
}

enum class Border { kConstant, kReflect, kEdge };

Result<Border> border_mode(const Node& node) {
  const std::string mode = TRY(text_attribute(node, "mode", "constant"));
  if (mode == "constant") return Border::kConstant;
  if (mode == "reflect") return Border::kReflect;
  if (mode == "edge") return Border::kEdge;
  return malformed("mode " + shown(mode));
}

Types padded_type(const InferContext& context, std::span<const std::int64_t> pads) {
  const TensorType& in = *context.inputs[0];
  const Border border = TRY(border_mode(context.node));
  const std::size_t rank = in.shape.rank();
  if (pads.size() != 2 * rank) {
    return malformed(std::to_string(pads.size()) + " pads for a tensor of rank " +
                     std::to_string(rank));
  }
  std::vector<std::int64_t> dims = to_list(in.shape);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t dim = dims[axis];
    for (const std::int64_t pad : {pads[axis], pads[rank + axis]}) {
      const std::int64_t most = border == Border::kConstant  ? kMaxElements
                                : border == Border::kReflect ? std::max<std::int64_t>(dim - 1, 0)
                                : dim == 0                   ? 0
                                                             : kMaxElements;
      if (pad > most || pad < -dim) {
        return malformed("a pad of " + std::to_string(pad) + " at a dimension of " +
                         std::to_string(dim));
      }
      dims[axis] += pad;
    }
    if (dims[axis] < 0) return malformed("pads that take away more than there is");
  }
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Types infer_pad_9(const InferContext& context) {
  TRY(typed_input<FloatTypes>(context, 0));
  TRY(float_attribute(context.node, "value", 0));
  return padded_type(context, TRY(integers_attribute(context.node, "pads")));
}

Types infer_pad(const InferContext& context) {
  TRY(check_dtype(context, 1, {DType::kI64}));
  if (has_input(context, 2)) {
    TRY(check_same_type(context, 0, 2));
    if (context.inputs[2]->shape.element_count() != 1) {
      return malformed("constant_value of shape " + to_string(context.inputs[2]->shape));
    }
  }
  return padded_type(context, TRY(constant_integers(context, 1, "pads")));
}

// Fills `count` elements of `size` bytes with copies of `element`.
void fill(std::uint8_t* to, std::int64_t count, const std::uint8_t* element, std::size_t size) {
  const CopyAxis axis[] = {{count, 0, static_cast<std::int64_t>(size)}};
  copy_elements(element, to, size, axis);
}

// The index of the source that padded index `at` shows.
std::int64_t source_index(Border border, std::int64_t at, std::int64_t dim) {
  if (border == Border::kEdge) return std::clamp<std::int64_t>(at, 0, dim - 1);
  return at < 0 ? -at : at >= dim ? 2 * (dim - 1) - at : at;
}

// What of the source is inside: copied in one go. The constant is around it already.
void copy_inside(const ConstTensor& in, const Tensor& out, std::span<const std::int64_t> pads) {
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  std::vector<CopyAxis> axes;
  std::int64_t from_offset = 0;
  std::int64_t to_offset = 0;
  for (std::size_t i = 0; i < in.type.shape.rank(); ++i) {
    const std::int64_t skipped = std::max<std::int64_t>(-pads[i], 0);
    const std::int64_t border = std::max<std::int64_t>(pads[i], 0);
    const std::int64_t count = std::min(in.type.shape[i] - skipped, out.type.shape[i] - border);
    if (count <= 0) return;
    from_offset += skipped * from[i];
    to_offset += border * to[i];
    axes.push_back({count, from[i], to[i]});
  }
  copy_elements(in.data + from_offset, out.data + to_offset, element_size(in.type.dtype), axes);
}

// Line by line of the output: the middle of a line in one go, its ends element by element.
void copy_mirrored(const ConstTensor& in, const Tensor& out, std::span<const std::int64_t> pads,
                   Border border) {
  const auto from = byte_strides(in.type);
  const std::size_t size = element_size(in.type.dtype);
  const std::size_t last = in.type.shape.rank() - 1;
  const std::int64_t dim = in.type.shape[last];
  const std::int64_t line = out.type.shape[last];
  const std::int64_t middle = std::clamp<std::int64_t>(pads[last], 0, line);
  const std::int64_t middle_end = std::clamp<std::int64_t>(pads[last] + dim, middle, line);
  std::uint8_t* to = out.data;
  Odometer position(out.type.shape.dims().first(last));
  do {
    const std::uint8_t* source = in.data;
    for (std::size_t i = 0; i < last; ++i) {
      source += source_index(border, position[i] - pads[i], in.type.shape[i]) * from[i];
    }
    const auto copy_one = [&](std::int64_t at) {
      const std::int64_t index = source_index(border, at - pads[last], dim);
      std::memcpy(to + at * from[last], source + index * from[last], size);
    };
    for (std::int64_t at = 0; at < middle; ++at) copy_one(at);
    if (middle < middle_end) {
      std::memcpy(to + middle * from[last], source + (middle - pads[last]) * from[last],
                  static_cast<std::size_t>((middle_end - middle) * from[last]));
    }
    for (std::int64_t at = middle_end; at < line; ++at) copy_one(at);
    to += line * from[last];
  } while (position.next());
}

Status pad(RunContext& context, std::span<const std::int64_t> pads, const std::uint8_t* value) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const Border border = TRY(border_mode(context.node));
  if (border == Border::kConstant || in.type.shape.rank() == 0) {
    fill(out.data, out.type.shape.element_count(), value, element_size(in.type.dtype));
    copy_inside(in, out, pads);
  } else {
    copy_mirrored(in, out, pads, border);
  }
  return done();
}

Status run_pad_9(RunContext& context) {
  const float value = TRY(float_attribute(context.node, "value", 0));
  const std::vector<std::int64_t> pads = TRY(integers_attribute(context.node, "pads"));
  return dispatch(FloatTypes{}, context.inputs[0].type.dtype, [&]<typename T>() {
    const T element = store<T>(static_cast<Computed<T>>(value));
    return pad(context, pads, reinterpret_cast<const std::uint8_t*>(&element));
  });
}

Status run_pad(RunContext& context) {
  const std::vector<std::int64_t> pads = TRY(to_integers(context.inputs[1]));
  const std::uint8_t zero[8] = {};
  return pad(context, pads, has_input(context, 2) ? context.inputs[2].data : zero);
}

// The axis of Compress; nullopt where the tensor is taken as flat.
Result<std::optional<std::size_t>> compress_axis(const Node& node, std::size_t rank) {
  if (node.find("axis") == nullptr) return std::optional<std::size_t>();
  return std::optional(TRY(axis_attribute(node, "axis", 0, rank)));
}

Types infer_compress(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(check_dtype(context, 1, {DType::kBool}));
  const ConstTensor condition = {*context.inputs[1], context.constants[1].data};
  if (!is_known(context, 1)) {
    return unsupported("the output's shape depends on condition, which is not a constant");
  }
  const auto axis = TRY(compress_axis(context.node, in.shape.rank()));
  std::vector<std::int64_t> dims =
      axis ? to_list(in.shape) : std::vector<std::int64_t>{in.shape.element_count()};
  std::int64_t& dim = dims[axis.value_or(0)];
  const auto flags = condition.elements<Boolean>();
  if (condition.type.shape.rank() != 1 || std::cmp_greater(flags.size(), dim)) {
    return malformed("a condition of shape " + to_string(condition.type.shape) +
                     " for a dimension of " + std::to_string(dim));
  }
  dim = std::ranges::count_if(flags, [](Boolean flag) { return load(flag); });
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_compress(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const auto axis = TRY(compress_axis(context.node, in.type.shape.rank()));
  const TensorType flat = {in.type.dtype, Shape{in.type.shape.element_count()}};
  const AxisView view(axis ? in.type : flat, axis.value_or(0));
  const auto flags = context.inputs[1].elements<Boolean>();
  std::uint8_t* to = out.data;
  for (std::int64_t outer = 0; outer < view.outer; ++outer) {
    const std::uint8_t* from = in.data + outer * view.count * view.size;
    for (std::size_t i = 0; i < flags.size(); ++i, from += view.size) {
      if (!load(flags[i])) continue;
      std::memcpy(to, from, static_cast<std::size_t>(view.size));
      to += view.size;
    }
  }
  return done();
}

constexpr Operator kOperators[] = {
    {"Compress", 9, kLastOpset, 2, 2, 1, infer_compress, run_compress, "axis"},
    {"Pad", 9, 10, 1, 1, 1, infer_pad_9, run_pad_9, "mode pads value"},
    {"Pad", 11, kLastOpset, 2, 3, 1, infer_pad, run_pad, "mode"},
    {"Slice", 9, 9, 1, 1, 1, infer_slice_9, run_slice_9, "starts ends axes"},
    {"Slice", 10, kLastOpset, 3, 5, 1, infer_slice, run_slice},
};

}  // namespace

std::span<const Operator> data_slice_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
