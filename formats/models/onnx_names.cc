// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_names.h"

#include "formats/models/onnx_objects.h"

namespace sealpack::models::onnx {

void ValueNames::add_all(const Message& message) {
  for (const Field& field : message.fields) {
    if (const auto* child = std::get_if<MessagePointer>(&field.value)) {
      add_all(**child);
    } else if (const auto* text = std::get_if<std::string>(&field.value)) {
      const bool is_value =
          (message.type == MessageType::kNode && field.number <= node::kOutput) ||
          (message.type == MessageType::kFunction &&
           (field.number == function::kInput || field.number == function::kOutput)) ||
          (message.type == MessageType::kTensor && field.number == tensor::kName) ||
          (message.type == MessageType::kValueInfo && field.number == value_info::kName);
      if (is_value) add(*text);
    }
  }
}

Result<std::string> ValueNames::claim(const std::string& wanted,
                                      std::span<const char* const> suffixes) {
  std::uint64_t& next = next_.try_emplace(wanted, 1).first->second;
  const auto is_free = [&](const std::string& name) {
    if (used_.contains(name)) return false;
    for (const char* suffix : suffixes) {
      if (used_.contains(name + suffix)) return false;
    }
    return true;
  };
  std::string name;
  do {
    name = next == 1 ? wanted : wanted + '~' + std::to_string(next);
    ++next;
  } while (!is_free(name));
  const auto keep = [&](std::string text) {
    claimed_size_ += text.size();
    claimed_.push_back(std::move(text));
    add(claimed_.back());
  };
  keep(name);
  for (const char* suffix : suffixes) keep(name + suffix);
  if (name.size() > kMaxNameSize || claimed_size_ > kMaxNameTotal) {
    return Error(ErrorCode::kLimit, "the names of nested tensors are over " +
                                        std::to_string(kMaxNameSize) + " bytes, or all over " +
                                        format_size(kMaxNameTotal));
  }
  return name;
}

std::string node_label(const Message& message, std::size_t index) {
  std::string_view label = message.text(node::kName);
  if (label.empty()) {
    const Field* output = message.find(node::kOutput);
    if (output != nullptr) label = std::get<std::string>(output->value);
  }
  while (label.starts_with('/')) label.remove_prefix(1);  // as PyTorch names nodes
  return label.empty() ? "node" + std::to_string(index) : std::string(label);
}

}  // namespace sealpack::models::onnx
