// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <numeric>

#include "runtime-loader/nn/ops/data_copy.h"
#include "runtime-loader/nn/ops/data_tables.h"

// Operators that put the elements of a tensor in another order or repeat them.
namespace sealpack::nn {
namespace {

using Types = Result<std::vector<TensorType>>;

// perm[i]: the input axis that output axis i is; reversed where the node does not say.
Result<std::vector<std::size_t>> permutation(const Node& node, std::size_t rank) {
  std::vector<std::size_t> perm;
  const std::vector<std::int64_t>* given = TRY(ints_attribute(node, "perm"));
  if (given == nullptr) {
    for (std::size_t axis = rank; axis-- > 0;) perm.push_back(axis);
    return perm;
  }
  std::array<bool, kMaxRank> used{};
  for (const std::int64_t axis : *given) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank) ||
        std::exchange(used[static_cast<std::size_t>(axis)], true)) {
      return malformed("perm is not a permutation: axis " + std::to_string(axis));
    }
    perm.push_back(static_cast<std::size_t>(axis));
  }
  if (perm.size() == rank) return perm;
  return malformed("perm has " + std::to_string(perm.size()) + " axes for a tensor of rank " +
                   std::to_string(rank));
}

Types infer_transpose(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  std::vector<std::int64_t> dims;
  for (const std::size_t axis : TRY(permutation(context.node, in.shape.rank()))) {
    dims.push_back(in.shape[axis]);
  }
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_transpose(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  const std::vector<std::size_t> perm = TRY(permutation(context.node, in.type.shape.rank()));
  std::vector<CopyAxis> axes;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    axes.push_back({out.type.shape[i], from[perm[i]], to[i]});
  }
  copy_elements(in.data, out.data, element_size(in.type.dtype), axes);
  return done();
}

Types infer_expand(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(check_dtype(context, 1, {DType::kI64}));
  const Shape wanted = TRY(Shape::make(TRY(constant_integers(context, 1, "shape"))));
  return std::vector{TensorType{in.dtype, TRY(broadcast(in.shape, wanted))}};
}

Status run_expand(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  const std::size_t lead = out.type.shape.rank() - in.type.shape.rank();
  std::vector<CopyAxis> axes;
  for (std::size_t i = 0; i < out.type.shape.rank(); ++i) {
    const bool repeats = i < lead || in.type.shape[i - lead] == 1;
    axes.push_back({out.type.shape[i], repeats ? 0 : from[i - lead], to[i]});
  }
  copy_elements(in.data, out.data, element_size(in.type.dtype), axes);
  return done();
}

Types infer_tile(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(check_dtype(context, 1, {DType::kI64}));
  const std::vector<std::int64_t> repeats = TRY(constant_integers(context, 1, "repeats"));
  if (repeats.size() != in.shape.rank()) {
    return malformed(std::to_string(repeats.size()) + " repeats for a tensor of rank " +
                     std::to_string(in.shape.rank()));
  }
  std::vector<std::int64_t> dims = to_list(in.shape);
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (repeats[axis] < 0 || repeats[axis] > kMaxElements) {
      return malformed("a repeat of " + std::to_string(repeats[axis]));
    }
    if (dims[axis] != 0 && repeats[axis] > kMaxElements / dims[axis]) {
      return Error(ErrorCode::kLimit, "a repeat of " + std::to_string(repeats[axis]));
    }
    dims[axis] *= repeats[axis];
  }
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_tile(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  std::vector<CopyAxis> axes;
  for (std::size_t i = 0; i < in.type.shape.rank(); ++i) {
    const std::int64_t dim = in.type.shape[i];
    if (dim == 0) return done();
    axes.push_back({out.type.shape[i] / dim, 0, dim * to[i]});
    axes.push_back({dim, from[i], to[i]});
  }
  copy_elements(in.data, out.data, element_size(in.type.dtype), axes);
  return done();
}

// An image [batch, channels, height, width] and the side of a block.
struct Blocks {
  Shape image;
  std::int64_t side = 1;
  bool column_first = false;  // CRD
};

Result<Blocks> read_blocks(const Node& node, const Shape& shape) {
  Blocks blocks{shape, TRY(int_attribute(node, "blocksize", 0)), false};
  if (shape.rank() != 4) return malformed("a tensor of rank " + std::to_string(shape.rank()));
  if (blocks.side < 1 || blocks.side > (std::int64_t{1} << 20U)) {
    return malformed("a blocksize of " + std::to_string(blocks.side));
  }
  const std::string mode = TRY(text_attribute(node, "mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") return malformed("mode " + shown(mode));
  blocks.column_first = mode == "CRD";
  return blocks;
}

Types infer_depth_to_space(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Blocks blocks = TRY(read_blocks(context.node, in.shape));
  const std::int64_t side = blocks.side;
  if (in.shape[1] % (side * side) != 0) {
    return malformed(std::to_string(in.shape[1]) + " channels for blocks of side " +
                     std::to_string(side));
  }
  const std::int64_t dims[] = {in.shape[0], in.shape[1] / (side * side), in.shape[2] * side,
                               in.shape[3] * side};
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_depth_to_space(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const Blocks blocks = TRY(read_blocks(context.node, in.type.shape));
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  const std::int64_t side = blocks.side;
  const std::int64_t depth = out.type.shape[1];
  // Channels are [row][column][depth], or [depth][row][column] with CRD.
  const std::int64_t by_depth = from[1] * (blocks.column_first ? side * side : 1);
  const std::int64_t by_column = from[1] * (blocks.column_first ? 1 : depth);
  const CopyAxis axes[] = {
      {in.type.shape[0], from[0], to[0]},        {depth, by_depth, to[1]},
      {in.type.shape[2], from[2], side * to[2]}, {side, side * by_column, to[2]},
      {in.type.shape[3], from[3], side * to[3]}, {side, by_column, to[3]}};
  copy_elements(in.data, out.data, element_size(in.type.dtype), axes);
  return done();
}

Types infer_space_to_depth(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const Blocks blocks = TRY(read_blocks(context.node, in.shape));
  const std::int64_t side = blocks.side;
  if (in.shape[2] % side != 0 || in.shape[3] % side != 0) {
    return malformed("an image of " + to_string(in.shape) + " for blocks of side " +
                     std::to_string(side));
  }
  if (in.shape[1] > kMaxElements / (side * side)) {
    return Error(ErrorCode::kLimit, "blocks of side " + std::to_string(side));
  }
  const std::int64_t dims[] = {in.shape[0], in.shape[1] * side * side, in.shape[2] / side,
                               in.shape[3] / side};
  return std::vector{TensorType{in.dtype, TRY(Shape::make(dims))}};
}

Status run_space_to_depth(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const std::int64_t side = TRY(read_blocks(context.node, in.type.shape)).side;
  const auto from = byte_strides(in.type);
  const auto to = byte_strides(out.type);
  const std::int64_t depth = in.type.shape[1];
  const CopyAxis axes[] = {{in.type.shape[0], from[0], to[0]},
                           {side, from[2], side * depth * to[1]},
                           {side, from[3], depth * to[1]},
                           {depth, from[1], to[1]},
                           {out.type.shape[2], side * from[2], to[2]},
                           {out.type.shape[3], side * from[3], to[3]}};
  copy_elements(in.data, out.data, element_size(in.type.dtype), axes);
  return done();
}

struct SequenceAxes {
  std::size_t batch = 1;
  std::size_t time = 0;
};

Result<SequenceAxes> sequence_axes(const Node& node) {
  const std::int64_t batch = TRY(int_attribute(node, "batch_axis", 1));
  const std::int64_t time = TRY(int_attribute(node, "time_axis", 0));
  if ((batch == 0 && time == 1) || (batch == 1 && time == 0)) {
    return SequenceAxes{static_cast<std::size_t>(batch), static_cast<std::size_t>(time)};
  }
  return malformed("batch_axis " + std::to_string(batch) + " and time_axis " +
                   std::to_string(time));
}

Types infer_reverse_sequence(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  const SequenceAxes axes = TRY(sequence_axes(context.node));
  if (in.shape.rank() < 2) return malformed("a tensor of rank " + std::to_string(in.shape.rank()));
  TRY(check_input(context, 1, {DType::kI64, Shape{in.shape[axes.batch]}}));
  return std::vector{in};
}

Status run_reverse_sequence(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const SequenceAxes axes = TRY(sequence_axes(context.node));
  const auto lengths = context.inputs[1].elements<std::int64_t>();
  const auto strides = byte_strides(in.type);
  const AxisView inner(in.type, 1);  // after both axes
  const std::int64_t time = in.type.shape[axes.time];
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > time) {
      return malformed("a sequence of length " + std::to_string(lengths[i]) + " of " +
                       std::to_string(time));
    }
    const std::int64_t base = static_cast<std::int64_t>(i) * strides[axes.batch];
    for (std::int64_t t = 0; t < time; ++t) {
      const std::int64_t source = t < lengths[i] ? lengths[i] - 1 - t : t;
      std::memcpy(out.data + base + t * strides[axes.time],
                  in.data + base + source * strides[axes.time],
                  static_cast<std::size_t>(inner.size));
    }
  }
  return done();
}

Types infer_trilu(const InferContext& context) {
  const TensorType& in = *context.inputs[0];
  TRY(bool_attribute(context.node, "upper", true));
  if (in.shape.rank() < 2) return malformed("a tensor of rank " + std::to_string(in.shape.rank()));
  if (has_input(context, 1)) {
    TRY(check_dtype(context, 1, {DType::kI64}));
    if (context.inputs[1]->shape.element_count() != 1) return malformed("k is not one number");
  }
  return std::vector{in};
}

Status run_trilu(RunContext& context) {
  const ConstTensor& in = context.inputs[0];
  const Tensor& out = context.outputs[0];
  const bool upper = TRY(bool_attribute(context.node, "upper", true));
  const std::size_t rank = in.type.shape.rank();
  const std::int64_t rows = in.type.shape[rank - 2];
  const std::int64_t columns = in.type.shape[rank - 1];
  std::int64_t diagonal = has_input(context, 1) ? context.inputs[1].elements<std::int64_t>()[0] : 0;
  diagonal = std::clamp(diagonal, -rows - 1, columns + 1);
  const auto size = static_cast<std::int64_t>(element_size(in.type.dtype));
  const std::int64_t matrices = AxisView(in.type, rank - 2).outer;
  for (std::int64_t line = 0; line < matrices * rows; ++line) {
    // Columns from here on are those of the upper part.
    const std::int64_t edge =
        std::clamp<std::int64_t>(line % rows + diagonal + (upper ? 0 : 1), 0, columns);
    const std::int64_t start = line * columns * size;
    const auto head = static_cast<std::size_t>(edge * size);
    const auto tail = static_cast<std::size_t>((columns - edge) * size);
    const std::int64_t middle = start + edge * size;
    if (upper) {
      std::memset(out.data + start, 0, head);
      std::memcpy(out.data + middle, in.data + middle, tail);
    } else {
      std::memcpy(out.data + start, in.data + start, head);
      std::memset(out.data + middle, 0, tail);
    }
  }
  return done();
}

constexpr Operator kOperators[] = {
    {"DepthToSpace", 9, 10, 1, 1, 1, infer_depth_to_space, run_depth_to_space, "blocksize"},
    {"DepthToSpace", 11, kLastOpset, 1, 1, 1, infer_depth_to_space, run_depth_to_space,
     "blocksize mode"},
    {"Expand", 9, kLastOpset, 2, 2, 1, infer_expand, run_expand},
    {"ReverseSequence", 10, kLastOpset, 2, 2, 1, infer_reverse_sequence, run_reverse_sequence,
     "batch_axis time_axis"},
    {"SpaceToDepth", 9, kLastOpset, 1, 1, 1, infer_space_to_depth, run_space_to_depth, "blocksize"},
    {"Tile", 9, kLastOpset, 2, 2, 1, infer_tile, run_tile},
    {"Transpose", 9, kLastOpset, 1, 1, 1, infer_transpose, run_transpose, "perm"},
    {"Trilu", 14, kLastOpset, 1, 2, 1, infer_trilu, run_trilu, "upper"},
};

}  // namespace

std::span<const Operator> data_rearrange_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
