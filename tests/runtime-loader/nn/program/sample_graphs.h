// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/runtime-loader/nn/program/graph_builder.h"

namespace sealpack::nn::testing {

// A small graph of a kind that programs treat in a way of their own.
struct SampleGraph {
  const char* name;
  GraphBuilder (*build)();
};
std::span<const SampleGraph> sample_graphs();

// A graph of random layers over images, or over matrices.
GraphBuilder random_image_graph(std::uint32_t seed);
GraphBuilder random_matrix_graph(std::uint32_t seed);

}  // namespace sealpack::nn::testing
