// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/runtime-loader/nn/ops/interpreter.h"

namespace sealpack::nn::testing {

// Values of Graph::outputs, computed by a Program compiled for the shapes of these inputs. Where a
// shape depends on the contents of inputs, those of integers and bools, and short ones, become
// constants of the graph first; kUnsupported where that does not help.
Result<std::vector<OwnedTensor>> run_as_program(const Graph& graph, const BlockSource& model,
                                                const std::vector<OwnedTensor>& inputs);

}  // namespace sealpack::nn::testing
