// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_facts.h"

#include <algorithm>
#include <map>

namespace sealpack::models::onnx {
namespace {

constexpr std::size_t kMaxFactSize = 400;
constexpr std::size_t kTopOperators = 10;

// Joined by ", ", cut with "..." between items.
std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (text.size() + item.size() + 2 > kMaxFactSize - 5)
      return text + (text.empty() ? "..." : ", ...");
    if (!text.empty()) text += ", ";
    text += item;
  }
  return text;
}

std::string opsets(const Message& model) {
  std::vector<std::string> items;
  for (const Message* opset : model.messages(model::kOpsetImport)) {
    const std::string_view domain = opset->text(operator_set::kDomain);
    const std::string version = std::to_string(opset->integer(operator_set::kVersion));
    items.push_back(domain.empty() ? version : std::string(domain) + ' ' + version);
  }
  return join(items);
}

std::string dimension_text(const Message& dimension) {
  if (dimension.find(dimension::kValue) != nullptr) {
    return std::to_string(static_cast<std::int64_t>(dimension.integer(dimension::kValue)));
  }
  const std::string_view name = dimension.text(dimension::kParam);
  return name.empty() ? "?" : std::string(name);
}

// "image F32[batch,3,224,224]".
std::string value_text(const Message& value) {
  std::string text(value.text(value_info::kName));
  const Message* type = value.message(value_info::kType);
  const Message* tensor = type == nullptr ? nullptr : type->message(type::kTensorType);
  if (tensor == nullptr) return text;
  const char* dtype = dtype_name(tensor->integer(tensor_type::kElemType));
  text += ' ';
  text += dtype == nullptr ? "?" : dtype;
  const Message* shape = tensor->message(tensor_type::kShape);
  if (shape == nullptr) return text;
  std::string dims;
  for (const Message* dimension : shape->messages(shape::kDim)) {
    if (!dims.empty()) dims += ',';
    dims += dimension_text(*dimension);
  }
  return text + '[' + dims + ']';
}

std::string values(const Message& graph, std::uint32_t number) {
  std::vector<std::string> items;
  for (const Message* value : graph.messages(number)) items.push_back(value_text(*value));
  return join(items);
}

void count_operators(const Message& message, std::map<std::string_view, std::size_t>& counts) {
  if (message.type == MessageType::kNode) ++counts[message.text(node::kOpType)];
  for (const Field& field : message.fields) {
    const auto* child = std::get_if<MessagePointer>(&field.value);
    if (child != nullptr) count_operators(**child, counts);
  }
}

std::string operators(const Message& model) {
  std::map<std::string_view, std::size_t> counts;
  count_operators(model, counts);
  std::vector<std::pair<std::size_t, std::string_view>> sorted;
  sorted.reserve(counts.size());
  for (const auto& [name, count] : counts) sorted.emplace_back(count, name);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (sorted.size() > kTopOperators) sorted.resize(kTopOperators);
  std::vector<std::string> items;
  items.reserve(sorted.size());
  for (const auto& [count, name] : sorted) {
    items.push_back(std::string(name) + ' ' + std::to_string(count));
  }
  return join(items);
}

std::string parameters(const ModelIndex& index) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < index.tensors.size(); ++i) {
    const bool is_indices = index.objects[index.object_of[i]].is_sparse && i > 0 &&
                            index.object_of[i - 1] == index.object_of[i];
    if (!is_indices) total = checked_add(total, index.data[i].count).value_or(total);
  }
  return std::to_string(total);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_model(const Message& model,
                                                                const ModelIndex& index) {
  const Message& graph = *model.message(model::kGraph);
  std::vector<std::string> producer;
  for (const std::uint32_t number : {model::kProducerName, model::kProducerVersion}) {
    if (!model.text(number).empty()) producer.emplace_back(model.text(number));
  }
  std::vector<std::pair<std::string, std::string>> facts = {
      {"inputs", values(graph, graph::kInput)},
      {"ir_version", std::to_string(model.integer(model::kIrVersion))},
      {"operators", operators(model)},
      {"opset", opsets(model)},
      {"outputs", values(graph, graph::kOutput)},
      {"parameters", parameters(index)},
      {"producer", join(producer)},
  };
  std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
  return facts;
}

}  // namespace sealpack::models::onnx
