// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/runtime-loader/nn/ops/counted_heap.h"
#include "tests/runtime-loader/nn/ops/graph_models.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::nn::testing {
namespace {

// A network of `count` convolutions in the manner of a ResNet, 46 MB of weights for 20 of them.
ByteVector residual_model(std::size_t count) {
  const ByteVector weights(256 * 256 * 9 * 4);
  Proto graph = Proto().message(11, tensor_info("v0", 1, {-1, 256, 14, 14}));
  std::string value = "v0";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string at = std::to_string(i);
    const std::string names[] = {"layer" + at + ".conv.weight", "layer" + at + ".conv.bias",
                                 "layer" + at + ".conv.out", "layer" + at + ".relu.out"};
    graph.message(5, raw(names[0], 1, {256, 256, 3, 3}, weights));
    graph.message(5, floats(names[1], std::vector<float>(256)));
    graph.message(1, make_node("Conv", {value, names[0], names[1]}, {names[2]},
                               {ints_of("dilations", {1, 1}), ints_of("kernel_shape", {3, 3}),
                                ints_of("pads", {1, 1, 1, 1}), ints_of("strides", {1, 1}),
                                int_of("group", 1)},
                               "/layer" + at + "/Conv"));
    graph.message(1, make_node("Relu", {names[2]}, {names[3]}, {}, "/layer" + at + "/Relu"));
    value = names[3];
  }
  graph.message(12, tensor_info(value, 1, {-1, 256, 14, 14}));
  return make_model(graph).get();
}

// Bytes of the heap at the most while a model is read.
std::size_t memory_to_load(std::size_t convolutions) {
  const MemorySource source(residual_model(convolutions));
  const std::size_t before = start_counting_heap();
  const auto graph = load_without_files(source);
  EXPECT_THAT(graph, sealpack::testing::Succeeds());
  return most_heap_held() - before;
}

TEST(LoadGraph, TakesLittleMemoryBesideTheWeights) {
  const std::size_t size = memory_to_load(20);
  RecordProperty("bytes", static_cast<int>(size));
  EXPECT_LT(size, std::size_t{256} << 10U);
}

}  // namespace
}  // namespace sealpack::nn::testing
