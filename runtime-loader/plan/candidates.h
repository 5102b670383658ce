// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "runtime-loader/plan/cut.h"

namespace sealpack::plan {

// What the user wants inside: "all", "last:N", "first:N" (layers that have weights), or a glob over
// names of nodes, of the values they make and of the weights they read.
struct Protect {
  enum class Kind { kAll, kLast, kFirst, kMatching };
  Kind kind = Kind::kAll;
  std::uint64_t count = 0;
  std::string text;  // as it was given
};
// kUsage.
Result<Protect> parse_protect(const std::string& text);

// One way to divide a model.
struct Candidate {
  std::string label;         // "all", "last 3 of 12 layers"
  std::string id;            // 8 hex digits that name the node set, whatever else changes
  std::vector<bool> secure;  // one a node
  std::uint64_t layers = 0;  // with weights, that are secure
  bool whole = false;
  bool asked = false;  // by the user: shown whatever else is better
};

// Nodes that apply weights to data: convolutions, products, recurrent layers, table look-ups.
// Normalisations and biases are part of the layer before them.
std::vector<std::uint32_t> weighted_layers(const Dataflow& flow);

// What `protect` says, with what lies between the nodes that a glob matches. `matches` decides
// about names, for kMatching. kUsage where it matches nothing or there are not as many layers.
Result<Candidate> candidate_for(const Dataflow& flow, const Protect& protect,
                                const std::function<bool(const std::string&)>& matches);

// All of the model first; then every cut of the order in which nodes run, as far as the weights
// allow; then those that cut parallel branches at different depths; then some whose output goes
// back outside. At most `limit`, evenly thinned.
std::vector<Candidate> enumerate(const Dataflow& flow, std::size_t limit);

}  // namespace sealpack::plan
