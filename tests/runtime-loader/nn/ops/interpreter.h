// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"
#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"

// The plainest way to run a graph: node after node through the registry, everything in memory. What
// programs are compared with.
namespace sealpack::nn::testing {

// A tensor that owns its elements, aligned to 64.
class OwnedTensor {
 public:
  OwnedTensor() = default;
  explicit OwnedTensor(TensorType type);  // zeros
  OwnedTensor(TensorType type, Bytes bytes);

  const TensorType& type() const { return type_; }
  Tensor view();
  ConstTensor view() const;
  Bytes bytes() const;

 private:
  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  TensorType type_;
  std::vector<Line> lines_;
};

// Memory from the heap, up to a limit; at the end everything must have come back.
class HeapMemory final : public Memory {
 public:
  explicit HeapMemory(std::size_t limit = std::size_t{1} << 30U) : limit_(limit) {}
  ~HeapMemory() override;
  Result<MutableBytes> allocate(std::size_t size) override;
  void release(MutableBytes block) override;

 private:
  std::size_t limit_;
  std::size_t held_ = 0;
};

// A graph whose external data do not exist.
Result<Graph> load_without_files(const BlockSource& model);

// The elements of a stored tensor of file 0.
Result<OwnedTensor> read_stored(const StoredTensor& stored, const BlockSource& model);

// Values of Graph::outputs for those of Graph::inputs.
Result<std::vector<OwnedTensor>> interpret(const Graph& graph, const BlockSource& model,
                                           const std::vector<OwnedTensor>& inputs);

}  // namespace sealpack::nn::testing
