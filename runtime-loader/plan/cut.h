// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/plan/dataflow.h"

namespace sealpack::plan {

// One of the up to three models that a cut makes of one. Nodes and values are those of the
// Dataflow.
struct Part {
  std::vector<std::uint32_t> nodes;      // ascending
  std::vector<std::uint32_t> constants;  // initializers that its nodes read
  std::vector<std::uint32_t> inputs;     // what it is fed, ascending
  std::vector<std::uint32_t> outputs;    // what others need of it and its share of the answers
  bool empty() const { return nodes.empty(); }
};

// A model divided: `before` runs outside, then `secure` inside, then `after` outside. `after` is
// empty unless something that is computed inside goes back to be computed with.
struct Cut {
  Part before;
  Part secure;
  Part after;
  std::vector<std::uint32_t> returned;        // outputs of `secure` that `after` reads
  std::vector<std::uint32_t> shared_weights;  // values that two halves would hold
};

// Nodes that compute from constants, or from shapes alone, follow the nodes that read them, into
// both halves if need be. All others are `fixed`, and secure[node] says where they are.
std::vector<bool> fixed_nodes(const Dataflow& flow);

// `secure` has one element a node; those of nodes that are not fixed mean nothing. kUsage where
// nothing is secure; kUnsupported where the secure part would have to run twice: it reads what is
// computed outside from what it gave before.
Result<Cut> cut(const Dataflow& flow, const std::vector<bool>& secure);

// As cut, and kUnsupported for weights that both halves would hold, naming them.
Result<Cut> cut_apart(const Dataflow& flow, const std::vector<bool>& secure);

}  // namespace sealpack::plan
