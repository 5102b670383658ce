// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"
#include "runtime-loader/plan/cut.h"

namespace sealpack::plan {

// The same values under the same numbers. Small weights are looked at through `weights`.
Result<Dataflow> dataflow_of(const nn::Graph& graph, nn::WeightSource& weights);

// The nodes of one part as a graph of its own over the same values. `types` are those of all values
// of `graph` (infer_types). kUnsupported where the type of an input of the part is not known.
Result<nn::Graph> part_graph(const nn::Graph& graph, const Part& part,
                             const std::vector<std::optional<nn::TensorType>>& types);

}  // namespace sealpack::plan
