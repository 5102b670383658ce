// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"
#include "runtime-loader/nn/program/steps/matrix.h"
#include "runtime-loader/nn/program/steps/move.h"

namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kMostProducts = 1 << 16;

std::uint64_t dim(const Shape& shape, std::size_t axis) {
  return static_cast<std::uint64_t>(shape[axis]);
}

std::vector<std::uint64_t> dense_strides(const Shape& shape) {
  std::vector<std::uint64_t> strides(shape.rank(), 1);
  for (std::size_t i = shape.rank(); i-- > 1;) strides[i - 1] = strides[i] * dim(shape, i);
  return strides;
}

std::vector<std::size_t> permutation(const Node& node, std::size_t rank) {
  std::vector<std::size_t> order;
  const auto given = ints_attribute(node, "perm");
  for (std::size_t i = 0; i < rank; ++i) {
    const bool is_given = given.ok() && *given != nullptr;
    order.push_back(is_given ? static_cast<std::size_t>((**given)[i]) : rank - 1 - i);
  }
  return order;
}

// Where each matrix of a batch begins. The batch dimensions of the operand are the last ones of
// `batch`, or 1.
std::vector<std::uint64_t> starts(std::span<const std::int64_t> batch, const Shape& shape,
                                  const std::vector<std::uint64_t>& strides) {
  std::vector<std::uint64_t> found{0};
  const std::size_t skip = batch.size() - (shape.rank() - 2);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const bool moves = i >= skip && shape[i - skip] != 1;
    const std::uint64_t stride = moves ? strides[i - skip] : 0;
    std::vector<std::uint64_t> longer;
    for (const std::uint64_t start : found) {
      for (std::uint64_t k = 0; k < static_cast<std::uint64_t>(batch[i]); ++k) {
        longer.push_back(start + k * stride);
      }
    }
    found = std::move(longer);
  }
  return found;
}

}  // namespace

// A transposition between a product and its operand (or its only reader) is left to the product,
// which reads (or writes) with strides.
void Lowering::absorb_transpositions() {
  for (Group& group : groups_) {
    const Node& node = graph().nodes[group.root];
    if (group.kind != Group::Kind::kNode || node.op != "MatMul") continue;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      const ValueId id = node.inputs[side];
      const auto producer = uses_.producer(id);
      if (!producer || uses_.only_reader(id) != group.root) continue;
      const Node& before = graph().nodes[*producer];
      const std::size_t rank = bound_.type(id).shape.rank();
      if (before.op != "Transpose" || rank < 3 || bound_.is_known(id)) continue;
      const auto order = permutation(before, rank);
      const bool is_left_row = order[rank - 1] == rank - 1;
      if (!is_left_row && (side == 0 || order[rank - 2] != rank - 1)) continue;
      const std::uint32_t ending = group_ending_at_[*producer];
      if (ending == ~std::uint32_t{0}) continue;
      group_ending_at_[*producer] = ~std::uint32_t{0};
      absorbed_[id] = *producer;
      group.nodes.push_back(*producer);
    }
    const ValueId out = node.outputs[0];
    const auto reader = uses_.only_reader(out);
    if (!reader || graph().nodes[*reader].op != "Transpose") continue;
    const std::size_t rank = bound_.type(out).shape.rank();
    if (permutation(graph().nodes[*reader], rank)[rank - 1] != rank - 1) continue;
    const std::uint32_t ending = group_ending_at_[*reader];
    if (ending == ~std::uint32_t{0} || groups_[ending].root != *reader) continue;
    group_ending_at_[*reader] = ~std::uint32_t{0};
    absorbed_[out] = *reader;
    group.nodes.push_back(*reader);
  }
}

Lowering::StridedValue Lowering::strided(ValueId id) const {
  const Shape& shape = bound_.type(id).shape;
  if (!absorbed_.contains(id)) return {id, dense_strides(shape)};
  const Node& node = graph().nodes[absorbed_.at(id)];
  StridedValue found{node.inputs[0], {}};
  const auto strides = dense_strides(bound_.type(node.inputs[0]).shape);
  for (const std::size_t axis : permutation(node, shape.rank())) {
    found.strides.push_back(strides[axis]);
  }
  return found;
}

// A product's output as the transposition that follows leaves it.
Lowering::StridedValue Lowering::strided_output(ValueId id) const {
  const Shape& shape = bound_.type(id).shape;
  if (!absorbed_.contains(id)) return {id, dense_strides(shape)};
  const Node& node = graph().nodes[absorbed_.at(id)];
  StridedValue found{node.outputs[0], std::vector<std::uint64_t>(shape.rank())};
  const auto strides = dense_strides(bound_.type(node.outputs[0]).shape);
  const auto order = permutation(node, shape.rank());
  for (std::size_t i = 0; i < order.size(); ++i) found.strides[order[i]] = strides[i];
  return found;
}

Result<bool> Lowering::emit_product(std::uint32_t index, const std::vector<std::uint32_t>& nodes) {
  const Node& node = graph().nodes[index];
  if (node.op != "MatMul" && node.op != "Gemm") return false;
  const TensorType& a = bound_.type(node.inputs[0]);
  const TensorType& b = bound_.type(node.inputs[1]);
  const TensorType& out = bound_.type(node.outputs[0]);
  const bool fits = a.dtype == DType::kF32 && a.shape.rank() >= 2 && b.shape.rank() >= 2 &&
                    a.shape.element_count() > 0 && b.shape.element_count() > 0 &&
                    static_cast<std::uint64_t>(out.shape.element_count()) > 0;
  if (!fits) return false;
  auto step = std::make_unique<ProductStep>();
  const std::size_t rank = out.shape.rank();
  step->columns = dim(out.shape, rank - 1);
  bool transposed = false;
  if (node.op == "Gemm") {
    if (!TRY(is_plain_gemm(node, step->columns, step->bias))) return false;
    transposed = TRY(int_attribute(node, "transB", 0)) != 0;
  }
  StridedValue left = strided(node.inputs[0]), right = strided(node.inputs[1]);
  const StridedValue to = strided_output(node.outputs[0]);
  if (transposed) std::swap(right.strides[0], right.strides[1]);
  const std::size_t right_rank = b.shape.rank();
  step->right_by_columns = right.strides[right_rank - 1] != 1;
  const auto batch = out.shape.dims().first(rank - 2);
  std::uint64_t count = 1;
  for (const std::int64_t each : batch) count *= static_cast<std::uint64_t>(each);
  if (count > kMostProducts) return false;
  step->what = "product";
  step->kernels = options_.kernels;
  step->row_count = dim(out.shape, rank - 2);
  step->inner = dim(a.shape, a.shape.rank() - 1);
  step->left = starts(batch, a.shape, left.strides);
  step->right = starts(batch, b.shape, right.strides);
  step->out = starts(batch, out.shape, to.strides);
  step->left_stride = left.strides[a.shape.rank() - 2];
  step->right_stride = right.strides[right_rank - (step->right_by_columns ? 1 : 2)];
  step->out_stride = to.strides[rank - 2];
  step->is_dense = to.strides == dense_strides(out.shape);
  step->multiply_adds = count * step->row_count * step->columns * step->inner;
  step->inputs = {TRY(plain(left.value)), TRY(plain(right.value))};
  step->outputs = {make(to.value, Layout::kPlain)};
  add_step(std::move(step), nodes);
  return true;
}

// Whether a Gemm does nothing but multiply and add one known value a column, or none.
Result<bool> Lowering::is_plain_gemm(const Node& node, std::uint64_t columns, Floats& bias) {
  if (TRY(int_attribute(node, "transA", 0)) != 0) return false;
  if (TRY(float_attribute(node, "alpha", 1.0F)) != 1.0F) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  if (!bound_.is_known(node.inputs[2])) return false;
  bias = known_columns(bound_, node.inputs[2], columns, 1, 2);
  const float beta = TRY(float_attribute(node, "beta", 1.0F));
  for (float& value : bias) value *= beta;
  return !bias.empty();
}

namespace {

// The permutation as few loops over runs of bytes.
void describe_permutation(const TensorType& type, const std::vector<std::size_t>& order,
                          PermuteStep& step) {
  step.run_size = element_size(type.dtype);
  const auto strides = dense_strides(type.shape);
  for (const std::size_t axis : order) {
    const std::uint64_t count = dim(type.shape, axis), stride = strides[axis] * step.run_size;
    if (count == 1) continue;
    if (!step.counts.empty() && step.strides.back() == count * stride) {
      step.counts.back() *= count;  // what lay together still does
      step.strides.back() = stride;
    } else {
      step.counts.push_back(count);
      step.strides.push_back(stride);
    }
  }
}

// The step for [batch][rows][columns] -> [batch][columns][rows]; none for another permutation.
std::unique_ptr<TransposeStep> as_transposition(const PermuteStep& step) {
  const std::uint64_t size = step.run_size;
  const std::size_t rank = step.counts.size();
  const bool swaps = size == 4 && rank >= 2 && rank <= 3 && step.strides[rank - 2] == size &&
                     step.strides[rank - 1] == step.counts[rank - 2] * size;
  if (!swaps || (rank == 3 && step.strides[0] != step.counts[1] * step.counts[2] * size)) {
    return nullptr;
  }
  auto swap = std::make_unique<TransposeStep>();
  swap->what = "transpose";
  swap->batch = rank == 3 ? step.counts[0] : 1;
  swap->in_columns = step.counts[rank - 2];
  swap->in_rows = step.counts[rank - 1];
  return swap;
}

}  // namespace

Result<bool> Lowering::emit_transpose(std::uint32_t index) {
  const Node& node = graph().nodes[index];
  const TensorType& type = bound_.type(node.inputs[0]);
  if (node.op != "Transpose" || type.shape.rank() == 0 || type.shape.element_count() == 0) {
    return false;
  }
  auto step = std::make_unique<PermuteStep>();
  describe_permutation(type, permutation(node, type.shape.rank()), *step);
  const std::size_t left = step->counts.size();
  const TensorId in = TRY(plain(node.inputs[0]));
  if (left == 0 || (left == 1 && step->strides[0] == step->run_size)) {
    versions_[node.outputs[0]].plain = add_alias(in, bound_.type(node.outputs[0]));
    return true;
  }
  const TensorId out = make(node.outputs[0], Layout::kPlain);
  if (auto swap = as_transposition(*step)) {
    swap->inputs = {in};
    swap->outputs = {out};
    add_step(std::move(swap), {index});
    return true;
  }
  if (step->strides.back() == step->run_size) {
    step->run_size *= step->counts.back();
    step->counts.pop_back();
    step->strides.pop_back();
  }
  step->what = "permute";
  step->inputs = {in};
  step->outputs = {out};
  add_step(std::move(step), {index});
  return true;
}

}  // namespace sealpack::nn::program
