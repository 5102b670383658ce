// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>

#include "runtime-loader/nn/program/program.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"

namespace sealpack::nn::testing {

// Builds a graph node by node, with random weights in a file of its own.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::uint32_t seed = 1, std::int64_t opset = 13) : random_(seed) {
    graph_.opset = opset;
  }

  ValueId input(const std::vector<std::int64_t>& dims, DType type = DType::kF32);
  // Stored in the file where it is larger than StoredTensor allows inline.
  ValueId weight(const std::vector<std::int64_t>& dims, float deviation = 0.3F, float mean = 0);
  ValueId stored(const TensorType& type, const ByteVector& bytes);
  ValueId integers(const std::vector<std::int64_t>& values);
  ValueId scalar(float value);
  ValueId node(const std::string& op, const std::vector<ValueId>& inputs,
               std::vector<Attribute> attributes = {});
  std::vector<ValueId> nodes(const std::string& op, const std::vector<ValueId>& inputs,
                             std::size_t outputs, std::vector<Attribute> attributes = {});
  void output(ValueId id) { graph_.outputs.push_back(id); }

  ValueId conv(ValueId x, std::int64_t in, std::int64_t out, std::int64_t kernel,
               std::int64_t stride = 1, std::int64_t pad = 0, std::int64_t group = 1,
               bool bias = true, std::int64_t dilation = 1);
  ValueId batch_norm(ValueId x, std::int64_t channels);
  ValueId linear(ValueId x, std::int64_t in, std::int64_t out);  // MatMul and Add
  ValueId layer_norm(ValueId x, std::int64_t width);             // as exported before opset 17
  ValueId gelu(ValueId x);

  std::shared_ptr<const Graph> graph() const { return std::make_shared<const Graph>(graph_); }
  const ByteVector& file() const { return file_; }
  std::mt19937& random() { return random_; }

 private:
  ValueId add_value(const std::string& prefix);

  std::mt19937 random_;
  Graph graph_;
  ByteVector file_;
};

// Inputs with random elements: floats around 0, indexes below `most`.
std::vector<OwnedTensor> random_inputs(std::span<const TensorType> types, std::uint32_t seed,
                                       std::int64_t most = 8);

}  // namespace sealpack::nn::testing
