// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that keep the bytes of a tensor and change its shape, or tell the shape.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

Types same_elements(const InferContext& context, std::span<const std::int64_t> dims) {
  const TensorType& in = *context.inputs[0];
  const Shape shape = TRY(Shape::make(dims));
  if (shape.element_count() != in.shape.element_count()) {
    return Error(ErrorCode::kMalformed, "a tensor of shape " + to_string(in.shape) +
                                            " cannot become one of " + to_string(shape));
  }
  return std::vector{TensorType{in.dtype, shape}};
}

Status copy_input(RunContext& context) {
  const Tensor& out = context.outputs[0];
  if (out.data != nullptr && out.type.size() != 0) {
    std::memcpy(out.data, context.inputs[0].data, static_cast<std::size_t>(out.type.size()));
  }
  return done();
}

Types infer_identity(const InferContext& context) {
  return std::vector{*context.inputs[0]};
}

// The dimensions a reshape asks for, 0 and -1 replaced.
Result<std::vector<std::int64_t>> resolve_reshape(const Shape& in, std::vector<std::int64_t> dims,
                                                  bool zero_copies) {
  std::optional<std::size_t> open;
  std::int64_t known = 1;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == -1) {
      if (open) return Error(ErrorCode::kMalformed, "a shape with two dimensions of -1");
      open = axis;
      continue;
    }
    if (dims[axis] == 0 && zero_copies) {
      if (axis >= in.rank()) {
        return Error(ErrorCode::kMalformed, "dimension " + std::to_string(axis) +
                                                " is to be copied from shape " + to_string(in));
      }
      dims[axis] = in[axis];
    }
    if (dims[axis] < 0 || (dims[axis] != 0 && known > kMaxElements / dims[axis])) {
      return Error(ErrorCode::kMalformed, "a dimension of " + std::to_string(dims[axis]));
    }
    known *= dims[axis];
  }
  if (open) {
    if (known == 0 || in.element_count() % known != 0) {
      return Error(ErrorCode::kMalformed, "no value for -1 fits " + to_string(in));
    }
    dims[*open] = in.element_count() / known;
  }
  return dims;
}

Types infer_reshape(const InferContext& context) {
  TRY(check_dtype(context, 1, {DType::kI64}));
  std::vector<std::int64_t> dims = TRY(constant_integers(context, 1, "shape"));
  const bool allow_zero = TRY(bool_attribute(context.node, "allowzero", false));
  if (dims.size() > kMaxRank) {
    return Error(ErrorCode::kLimit, "a shape of rank " + std::to_string(dims.size()));
  }
  if (allow_zero && std::ranges::count(dims, 0) != 0 && std::ranges::count(dims, -1) != 0) {
    return Error(ErrorCode::kMalformed, "a shape with both 0 and -1 under allowzero");
  }
  dims = TRY(resolve_reshape(context.inputs[0]->shape, std::move(dims), !allow_zero));
  return same_elements(context, dims);
}

Types infer_flatten(const InferContext& context) {
  const Shape& in = context.inputs[0]->shape;
  const auto rank = static_cast<std::int64_t>(in.rank());
  std::int64_t axis = TRY(int_attribute(context.node, "axis", 1));
  if (axis < (context.opset >= 11 ? -rank : 0) || axis > rank) {
    return Error(ErrorCode::kMalformed,
                 "axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
  }
  if (axis < 0) axis += rank;
  std::int64_t dims[2] = {1, 1};
  for (std::int64_t i = 0; i < rank; ++i) dims[i < axis ? 0 : 1] *= in[static_cast<std::size_t>(i)];
  return same_elements(context, dims);
}

// Axes of Squeeze and Unsqueeze: an attribute until opset 12, then an input. Converted for a tensor
// of `rank`, ascending, each once; nullopt where they are left out.
Result<std::optional<std::vector<std::size_t>>> squeeze_axes(const InferContext& context,
                                                             std::size_t attribute_rank,
                                                             bool add_count) {
  std::vector<std::int64_t> axes;
  if (context.opset >= 13) {
    if (!has_input(context, 1)) return std::optional<std::vector<std::size_t>>();
    TRY(check_dtype(context, 1, {DType::kI64}));
    axes = TRY(constant_integers(context, 1, "axes"));
  } else {
    const std::vector<std::int64_t>* list = TRY(ints_attribute(context.node, "axes"));
    if (list == nullptr) return std::optional<std::vector<std::size_t>>();
    axes = *list;
  }
  if (axes.size() > kMaxRank) {
    return Error(ErrorCode::kLimit, std::to_string(axes.size()) + " axes");
  }
  const std::size_t rank = attribute_rank + (add_count ? axes.size() : 0);
  std::vector<std::size_t> converted;
  for (const std::int64_t axis : axes) {
    if (axis < 0 && context.opset < 11) {
      return Error(ErrorCode::kMalformed, "a negative axis before opset 11");
    }
    converted.push_back(TRY(to_axis(axis, rank)));
  }
  std::ranges::sort(converted);
  if (std::ranges::adjacent_find(converted) != converted.end()) {
    return Error(ErrorCode::kMalformed, "an axis that is named twice");
  }
  return std::optional(converted);
}

Types infer_squeeze(const InferContext& context) {
  const Shape& in = context.inputs[0]->shape;
  const auto axes = TRY(squeeze_axes(context, in.rank(), false));
  std::vector<std::int64_t> dims;
  for (std::size_t axis = 0; axis < in.rank(); ++axis) {
    const bool drop = axes ? std::ranges::count(*axes, axis) != 0 : in[axis] == 1;
    if (!drop) dims.push_back(in[axis]);
    if (drop && in[axis] != 1) {
      return Error(ErrorCode::kMalformed,
                   "axis " + std::to_string(axis) + " of " + to_string(in) + " is not of size 1");
    }
  }
  return same_elements(context, dims);
}

Types infer_unsqueeze(const InferContext& context) {
  const Shape& in = context.inputs[0]->shape;
  const auto axes = TRY(squeeze_axes(context, in.rank(), true));
  if (!axes) return Error(ErrorCode::kMalformed, "axes are missing");
  std::vector<std::int64_t> dims(in.dims().begin(), in.dims().end());
  for (const std::size_t axis : *axes) {
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  }
  return same_elements(context, dims);
}

// First and one past the last dimension that Shape tells.
Result<std::pair<std::size_t, std::size_t>> shape_range(const Node& node, std::size_t rank) {
  const auto limit = static_cast<std::int64_t>(rank);
  const auto clamp = [limit](std::int64_t at) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(at < 0 ? at + limit : at, 0, limit));
  };
  const std::size_t start = clamp(TRY(int_attribute(node, "start", 0)));
  const std::size_t end = clamp(TRY(int_attribute(node, "end", limit)));
  return std::pair(start, std::max(start, end));
}

Types infer_shape(const InferContext& context) {
  const auto [start, end] = TRY(shape_range(context.node, context.inputs[0]->shape.rank()));
  return std::vector{TensorType{DType::kI64, Shape{static_cast<std::int64_t>(end - start)}}};
}

Status run_shape(RunContext& context) {
  const Shape& in = context.inputs[0].type.shape;
  const auto [start, end] = TRY(shape_range(context.node, in.rank()));
  if (context.outputs[0].data == nullptr) return done();
  std::ranges::copy(in.dims().subspan(start, end - start),
                    context.outputs[0].elements<std::int64_t>().begin());
  return done();
}

Types infer_size(const InferContext&) {
  return std::vector{TensorType{DType::kI64, Shape{}}};
}

Status run_size(RunContext& context) {
  if (context.outputs[0].data == nullptr) return done();
  context.outputs[0].elements<std::int64_t>()[0] = context.inputs[0].type.shape.element_count();
  return done();
}

Types infer_dropout(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(check_dtype(context, 0, {DType::kF32, DType::kF16, DType::kF64, DType::kBF16}));
  TRY(float_attribute(context.node, "ratio", 0.5F));
  if (has_input(context, 2)) {
    const TensorType& type = *context.inputs[2];
    if (type.dtype != DType::kBool || type.shape.element_count() != 1) {
      return Error(ErrorCode::kMalformed, "training_mode is not one bool");
    }
    const std::uint8_t* training = context.constants[2].data;
    if (training == nullptr || *training != 0) {
      return Error(ErrorCode::kUnsupported, "training_mode is not false");
    }
  }
  return std::vector{in, TensorType{context.opset >= 10 ? DType::kBool : in.dtype, in.shape}};
}

// Inference: everything passes.
Status run_dropout(RunContext& context) {
  TRY(copy_input(context));
  if (context.outputs.size() < 2 || context.outputs[1].data == nullptr) return done();
  const Tensor& mask = context.outputs[1];
  if (mask.type.dtype != DType::kBool) {
    return Error(ErrorCode::kUnsupported, "the mask of opset " + std::to_string(context.opset));
  }
  std::memset(mask.data, 1, static_cast<std::size_t>(mask.type.size()));
  return done();
}

constexpr Operator kOperators[] = {
    {"Dropout", 9, 11, 1, 1, 2, infer_dropout, run_dropout, "ratio"},
    {"Dropout", 12, kLastOpset, 1, 3, 2, infer_dropout, run_dropout, "seed"},
    {"Flatten", 9, kLastOpset, 1, 1, 1, infer_flatten, copy_input, "axis"},
    {"Identity", 9, kLastOpset, 1, 1, 1, infer_identity, copy_input},
    {"Reshape", 9, 13, 2, 2, 1, infer_reshape, copy_input},
    {"Reshape", 14, kLastOpset, 2, 2, 1, infer_reshape, copy_input, "allowzero"},
    {"Shape", 9, 14, 1, 1, 1, infer_shape, run_shape},
    {"Shape", 15, kLastOpset, 1, 1, 1, infer_shape, run_shape, "start end"},
    {"Size", 9, kLastOpset, 1, 1, 1, infer_size, run_size},
    {"Squeeze", 9, 12, 1, 1, 1, infer_squeeze, copy_input, "axes"},
    {"Squeeze", 13, kLastOpset, 1, 2, 1, infer_squeeze, copy_input},
    {"Unsqueeze", 9, 12, 1, 1, 1, infer_unsqueeze, copy_input, "axes"},
    {"Unsqueeze", 13, kLastOpset, 2, 2, 1, infer_unsqueeze, copy_input},
};

}  // namespace

std::span<const Operator> data_shape_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
