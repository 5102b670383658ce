// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::plan {

// A graph of one or two nodes to measure. Its weights come from MicroWeights.
struct MicroProgram {
  std::string name;
  std::shared_ptr<const nn::Graph> graph;
  bool also_streamed = false;  // measure it under a limit that does not hold its weights, too
};
std::vector<MicroProgram> micro_programs();

// Small numbers, the same for the same place.
class MicroWeights final : public nn::WeightSource {
 public:
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override;
};

}  // namespace sealpack::plan
