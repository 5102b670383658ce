// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "formats/models/onnx_wire.h"

namespace sealpack::models::onnx {

// All value names of a model, whatever their scope, so that a new one clashes with none. Refers to
// the texts of the model. Sorted, not hashed: whoever wrote the model could flood a hash table.
class ValueNames {
 public:
  // Adds what `message` and the messages in it define or use.
  void add_all(const Message& message);

  // `wanted`, or `wanted~2`, `wanted~3`...; also free are the names with each of `suffixes` behind.
  // kLimit for long names.
  Result<std::string> claim(const std::string& wanted, std::span<const char* const> suffixes);

 private:
  void add(std::string_view name) { used_.insert(name); }

  std::set<std::string_view> used_;
  std::deque<std::string> claimed_;  // owns what used_ refers to
  std::map<std::string, std::uint64_t> next_;
  std::uint64_t claimed_size_ = 0;
};

// What a node is called in a path: its name, else its first output, else "node" and `index`.
std::string node_label(const Message& node, std::size_t index);

}  // namespace sealpack::models::onnx
