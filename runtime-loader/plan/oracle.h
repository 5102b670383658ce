// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/plan/cut.h"

// Whether a secure part gives its weights away to whoever may ask it (docs/PLANNING.md §3).
namespace sealpack::plan {

// What an output of the secure part is as a function of its inputs, which the host knows and
// chooses.
enum class Depth : std::uint8_t {
  kKnown,     // no secret weight is involved
  kOneLayer,  // one affine layer, or several that make one, behind it at most a function of each
              // element or a pooling: d + 1 queries give the layer, d elements of input
  kDeep,      // several layers with something between them
  kDecision,  // which of many, decided by several layers: an index
};
const char* to_string(Depth depth);

struct OutputDepth {
  std::uint32_t value = 0;
  Depth depth = Depth::kKnown;
};

// One an output of cut.secure. An operator that is not known here counts as deep.
std::vector<OutputDepth> output_depths(const Dataflow& flow, const Part& secure);

// What makes a cut an extraction oracle.
struct Oracle {
  std::vector<std::uint32_t> returned;  // values with secret weights in them that go back, but for
                                        // decisions
  std::vector<std::uint32_t> answers;   // answers one layer away from the inputs
  bool any() const { return !returned.empty() || !answers.empty(); }
};
Oracle find_oracle(const Dataflow& flow, const Cut& cut);

}  // namespace sealpack::plan
