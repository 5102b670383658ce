// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/graph.h"

namespace sealpack::nn {

const Attribute* Node::find(std::string_view attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::optional<ValueId> Graph::find(std::string_view name) const {
  for (std::size_t id = 0; id < values.size(); ++id) {
    if (values[id].name == name) return static_cast<ValueId>(id);
  }
  return std::nullopt;
}

std::string shown(std::string_view name) {
  constexpr std::size_t kShownSize = 128;
  if (name.size() <= kShownSize) return printable(name);
  return printable(name.substr(0, kShownSize)) + " (cut)";
}

}  // namespace sealpack::nn
