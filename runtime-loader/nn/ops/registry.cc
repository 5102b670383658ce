// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime-loader/nn/ops/data_tables.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

bool comes_before(const Operator* a, const Operator* b) {
  const int order = std::string_view(a->name).compare(b->name);
  return order != 0 ? order < 0 : a->first_opset < b->first_opset;
}

void append(std::vector<const Operator*>& all, std::span<const OperatorTable> tables) {
  for (const OperatorTable table : tables) {
    for (const Operator& form : table()) all.push_back(&form);
  }
}

std::vector<const Operator*> make_registry() {
  std::vector<const Operator*> all;
  append(all, kDataTables);
  append(all, kMathTables);
  std::ranges::sort(all, comes_before);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (std::string_view(all[i - 1]->name) == all[i]->name &&
        all[i - 1]->last_opset >= all[i]->first_opset) {
      die("two forms of an operator for one opset");
    }
  }
  return all;
}

bool knows_attribute(const Operator& form, std::string_view name) {
  std::string_view rest = form.attributes;
  while (!rest.empty()) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, space) == name) return true;
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return false;
}

Status check_counts(const Operator& form, const InferContext& context) {
  const std::size_t inputs = context.inputs.size();
  if (inputs < form.min_inputs || inputs > form.max_inputs) {
    return Error(ErrorCode::kMalformed, std::to_string(inputs) + " inputs, where opset " +
                                            std::to_string(context.opset) + " has " +
                                            std::to_string(form.min_inputs) + " to " +
                                            std::to_string(form.max_inputs));
  }
  for (std::size_t i = 0; i < form.min_inputs; ++i) {
    if (context.inputs[i] == nullptr) {
      return Error(ErrorCode::kMalformed, "input " + std::to_string(i) + " is missing");
    }
  }
  const std::size_t outputs = context.node.outputs.size();
  if (outputs == 0 || outputs > form.max_outputs) {
    return Error(ErrorCode::kMalformed, std::to_string(outputs) +
                                            " outputs, where there are 1 to " +
                                            std::to_string(form.max_outputs));
  }
  for (const Attribute& attribute : context.node.attributes) {
    if (!knows_attribute(form, attribute.name)) {
      return Error(ErrorCode::kUnsupported, "attribute " + shown(attribute.name) +
                                                " is not one of opset " +
                                                std::to_string(context.opset));
    }
  }
  return done();
}

Result<std::vector<TensorType>> infer_checked(const InferContext& context) {
  const Operator* form = find_operator(context.node.op, context.opset);
  if (form == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 "not supported in opset " + std::to_string(context.opset));
  }
  if (context.constants.size() != context.inputs.size()) die("constants without their inputs");
  TRY(check_counts(*form, context));
  std::vector<TensorType> types = TRY(form->infer(context));
  if (types.size() < context.node.outputs.size()) {
    return Error(ErrorCode::kMalformed, std::to_string(context.node.outputs.size()) +
                                            " outputs, where there are " +
                                            std::to_string(types.size()));
  }
  types.resize(context.node.outputs.size());
  return types;
}

}  // namespace

std::span<const Operator* const> all_operators() {
  static const std::vector<const Operator*> all = make_registry();
  return all;
}

const Operator* find_operator(std::string_view name, std::int64_t opset) {
  const std::span<const Operator* const> all = all_operators();
  auto form = std::ranges::lower_bound(
      all, name, {}, [](const Operator* candidate) { return std::string_view(candidate->name); });
  for (; form != all.end() && (*form)->name == name; ++form) {
    if ((*form)->first_opset <= opset && opset <= (*form)->last_opset) return *form;
  }
  return nullptr;
}

std::string describe(const Node& node) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool plain = node.op.size() <= 64 && std::ranges::all_of(node.op, is_plain);
  const std::string op = plain ? node.op : shown(node.op);
  return node.name.empty() ? op : op + " (node " + shown(node.name) + ")";
}

Result<std::vector<TensorType>> infer_node(const InferContext& context) {
  Result<std::vector<TensorType>> types = infer_checked(context);
  if (types.ok()) return types;
  return std::move(types).within(describe(context.node));
}

Status run_node(RunContext& context) {
  const Operator* form = find_operator(context.node.op, context.opset);
  if (form == nullptr) die("run of a node that infer_node has not accepted");
  // Dimensions beside an empty one are not bounded by memory: no operator shall loop over them.
  const bool writes = std::ranges::any_of(context.outputs, [](const Tensor& out) {
    return out.data != nullptr && out.type.size() != 0;
  });
  if (!writes) return done();
  Status status = form->run(context);
  if (status.ok()) return status;
  return std::move(status).within(describe(context.node));
}

}  // namespace sealpack::nn
