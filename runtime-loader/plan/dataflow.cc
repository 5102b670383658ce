// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/plan/dataflow.h"

#include <algorithm>

namespace sealpack::plan {

std::uint32_t Dataflow::add_value(std::string_view name) {
  const auto found = value_of.find(name);
  if (found != value_of.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(values.size());
  Value value;
  value.name = name;
  values.push_back(std::move(value));
  value_of.emplace(name, id);
  return id;
}

Status Dataflow::check() const {
  std::vector<bool> there(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    there[i] = values[i].is_input || values[i].is_constant;
  }
  for (const Node& node : nodes) {
    for (const std::uint32_t value : node.reads) {
      if (there[value]) continue;
      return Error(ErrorCode::kMalformed, "a node of type " + printable(node.op) + " reads " +
                                              printable(values[value].name) +
                                              " before anything makes it");
    }
    for (const std::uint32_t value : node.makes) {
      if (there[value]) {
        return Error(ErrorCode::kMalformed, printable(values[value].name) + " is made twice");
      }
      there[value] = true;
    }
  }
  for (const std::uint32_t output : outputs) {
    if (values[output].producer != kNobody) continue;
    return Error(ErrorCode::kUnsupported, "no node makes the graph's output " +
                                              printable(values[output].name) +
                                              ", so that it belongs to neither half");
  }
  return done();
}

const std::string& Dataflow::key(std::uint32_t node) const {
  static const std::string kNone;
  const Node& found = nodes[node];
  return found.makes.empty() ? kNone : values[found.makes[0]].name;
}

bool is_structure(std::uint64_t onnx_type, std::uint64_t elements, std::uint64_t size) {
  constexpr std::uint64_t kInt64 = 7;
  constexpr std::uint64_t kBool = 9;
  constexpr std::uint64_t kMaxElements = 16;
  constexpr std::uint64_t kMaxSize = 1024;
  return size <= kMaxSize &&
         (elements <= kMaxElements || onnx_type == kInt64 || onnx_type == kBool);
}

bool is_uniform(Bytes bytes, std::uint64_t elements) {
  if (elements == 0 || bytes.size() % elements != 0) return false;
  const auto size = static_cast<std::size_t>(bytes.size() / elements);
  return std::equal(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), bytes.begin());
}

}  // namespace sealpack::plan
