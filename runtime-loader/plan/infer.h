// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::plan {

// Sizes of symbolic dimensions by name; those that are not given are 1.
using SymbolSizes = std::map<std::string, std::int64_t, std::less<>>;

// What a dimension of a graph input is called: its own name, or "<input>_<axis>".
std::string symbol_of(const nn::Value& input, std::size_t axis);
// Symbols of all inputs, ascending.
std::vector<std::string> symbols_of(const nn::Graph& graph);

// Types of all values, nullopt where they cannot be known: an input of unknown rank, a node that is
// not supported, a shape that depends on what is fed. Constants of up to 64 KiB are computed with,
// so that shapes made by arithmetic are known. Fails only when `weights` does.
Result<std::vector<std::optional<nn::TensorType>>> infer_types(const nn::Graph& graph,
                                                               nn::WeightSource& weights,
                                                               const SymbolSizes& sizes);

// A type in which some dimensions follow a symbol.
struct SymbolicType {
  nn::DType dtype = nn::DType::kF32;
  std::vector<nn::Dimension> shape;
};
// As infer_types for all sizes: each symbol is tried with two. A dimension that follows no symbol
// one to one gets a name of its own, "<value>_<axis>".
Result<std::vector<std::optional<SymbolicType>>> infer_symbolic(const nn::Graph& graph,
                                                                nn::WeightSource& weights);

// Weights that lie in a model's own files, unsealed.
class FileWeights final : public nn::WeightSource {
 public:
  // file 0 is the model; `externals` in the order of Graph::external_files.
  FileWeights(std::shared_ptr<const BlockSource> model,
              std::vector<std::shared_ptr<const BlockSource>> externals)
      : model_(std::move(model)), externals_(std::move(externals)) {}
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out) override;

 private:
  std::shared_ptr<const BlockSource> model_;
  std::vector<std::shared_ptr<const BlockSource>> externals_;
};

// Memory from the heap, counted: for folding constants and for measuring.
class HeapMemory final : public nn::Memory {
 public:
  ~HeapMemory() override;
  Result<MutableBytes> allocate(std::size_t size) override;
  void release(MutableBytes block) override;
  std::uint64_t peak() const { return peak_; }

 private:
  std::uint64_t held_ = 0;
  std::uint64_t peak_ = 0;
};

}  // namespace sealpack::plan
