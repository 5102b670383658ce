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

}  // namespace sealpack::nn
