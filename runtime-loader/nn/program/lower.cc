// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/attributes.h"
#include "runtime-loader/nn/program/lowering.h"

namespace sealpack::nn::program {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

}  // namespace

Result<Lowered> lower(BoundGraph& bound, const LowerOptions& options) {
  return Lowering(bound, options).run();
}

Result<Lowered> Lowering::run() {
  for (std::uint32_t i = 0; i < graph().inputs.size(); ++i) {
    const ValueId id = graph().inputs[i];
    versions_[id].plain = add_tensor(bound_.type(id), PlanTensor::Home::kInput, i);
  }
  for (const std::uint32_t index : options_.backend_nodes) {
    const bool exists = index < graph().nodes.size() && !graph().nodes[index].outputs.empty();
    const bool is_linear =
        exists && (is_linear_conv(graph().nodes[index]) || is_linear_matrix(graph().nodes[index]));
    if (is_linear) continue;
    return Error(ErrorCode::kUsage, "node " + std::to_string(index) +
                                        " is not a Conv, Gemm or MatMul with known weights");
  }
  TRY(make_groups());
  for (const std::uint32_t index : bound_.nodes()) {
    if (group_ending_at_[index] == kNone) continue;
    const Group& group = groups_[group_ending_at_[index]];
    auto status = emit(group);
    if (!status.ok()) {
      const Node& node = graph().nodes[group.root];
      return std::move(status).take_error().within("node " + printable(node.name) + " (" + node.op +
                                                   ")");
    }
  }
  TRY(emit_outputs());
  return std::move(lowered_);
}

Status Lowering::make_groups() {
  for (const std::uint32_t index : bound_.nodes()) {
    const ValueId output = graph().nodes[index].outputs[0];
    const bool is_there = output != kNoValue;  // else there is but a second one
    if (taken_[index] || (is_there && bound_.value(output).stored)) continue;
    auto group = is_there ? TRY(make_group(index)) : std::nullopt;
    if (!group) group = Group{Group::Kind::kNode, index, {index}, {}, {}, {}};
    std::uint32_t last = index;
    for (const std::uint32_t node : group->nodes) {
      taken_[node] = true;
      last = std::max(last, node);
    }
    group_ending_at_[last] = static_cast<std::uint32_t>(groups_.size());
    groups_.push_back(std::move(*group));
  }
  absorb_transpositions();
  return done();
}

Result<std::optional<Lowering::Group>> Lowering::make_group(std::uint32_t index) {
  Group group;
  group.root = index;
  if (options_.backend_nodes.contains(index)) {
    group.kind = Group::Kind::kBackend;
    group.nodes = {index};
    return std::optional(std::move(group));
  }
  if (auto tail = TRY(linear_tail(index))) {
    group.kind = Group::Kind::kLinear;
    group.nodes = tail->nodes;
    group.tail = std::move(*tail);
    return std::optional(std::move(group));
  }
  if (auto norm = match_layer_norm(bound_, uses_, index)) {
    const bool is_free = std::none_of(norm->nodes.begin(), norm->nodes.end(),
                                      [&](std::uint32_t node) { return taken_[node]; });
    if (is_free) {
      group.kind = Group::Kind::kNorm;
      group.nodes = norm->nodes;
      group.norm = std::move(*norm);
      return std::optional(std::move(group));
    }
  }
  if (auto chain = match_chain(bound_, uses_, index, taken_)) {
    group.kind = Group::Kind::kChain;
    group.nodes = chain->nodes;
    group.chain = std::move(*chain);
    return std::optional(std::move(group));
  }
  return std::optional<Group>();
}

Status Lowering::emit(const Group& group) {
  switch (group.kind) {
    case Group::Kind::kLinear:
      return graph().nodes[group.root].op == "Conv" ? emit_conv(group) : emit_matrix(group);
    case Group::Kind::kChain:
      return emit_chain(group);
    case Group::Kind::kNorm:
      return emit_norm(group);
    case Group::Kind::kBackend:
      return emit_backend(group.root);
    case Group::Kind::kNode:
      return emit_node(group);
  }
  return done();
}

bool Lowering::is_alias(const Node& node) const {
  static constexpr std::array<std::string_view, 6> kAliases = {"Identity",  "Reshape", "Squeeze",
                                                               "Unsqueeze", "Flatten", "Dropout"};
  if (std::find(kAliases.begin(), kAliases.end(), node.op) == kAliases.end()) return false;
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {  // the mask of Dropout
    if (node.outputs[i] != kNoValue &&
        (uses_.is_output(node.outputs[i]) || !uses_.readers(node.outputs[i]).empty())) {
      return false;
    }
  }
  if (node.op == "Dropout" && node.inputs.size() > 2) return false;  // maybe in training
  return bound_.type(node.outputs[0]).size() == bound_.type(node.inputs[0]).size();
}

Status Lowering::emit_node(const Group& group) {
  const std::uint32_t index = group.root;
  const Node& node = graph().nodes[index];
  if (node.outputs[0] == kNoValue) return emit_generic(index);
  if (versions_[node.outputs[0]].plain != kNoTensor) return done();  // a reader needed it early
  if (is_alias(node)) return emit_alias(index);
  if (TRY(emit_pool(index)) || TRY(emit_global_average(index)) || TRY(emit_concat(index)) ||
      TRY(emit_softmax(index)) || TRY(emit_product(index, group.nodes)) ||
      TRY(emit_transpose(index)) || TRY(emit_lookup(index))) {
    return done();
  }
  return emit_generic(index);
}

}  // namespace sealpack::nn::program
