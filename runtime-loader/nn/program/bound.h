// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "runtime-loader/nn/ops/operator.h"
#include "runtime-loader/nn/program/program.h"
#include "runtime-loader/nn/program/steps/packed_weights.h"

namespace sealpack::nn::program {

// Weights that stay where they are stored, seen through what the graph does to them before use:
// another shape, the last two dimensions swapped, widened from float16, dequantized from 8 bits.
struct StoredView {
  WeightBytes bytes;
  TensorType stored;     // as in the file
  bool swapped = false;  // of rank 2: rows and columns exchanged
  Floats scale;          // of 8 bits: one, or one an index of `axis`
  WipedBytes zero;
  std::size_t axis = 0;  // of the value, not of what is stored
  ValueId initializer = kNoValue;
  // Bytes as a consumer that knows nothing of views would want them.
  bool is_plain(const TensorType& type) const { return stored.dtype == type.dtype && !swapped; }
};

// What is known of a value of the graph before anything runs.
struct BoundValue {
  std::optional<TensorType> type;
  std::shared_ptr<const WipedBytes> constant;
  std::optional<StoredView> stored;
};

// Constants are kept up to this size each; larger ones stay stored or are computed in every run.
inline constexpr std::uint64_t kFoldLimit = 1 << 20;

// A graph with types for every value, and with what needs no input computed.
class BoundGraph {
 public:
  static Result<BoundGraph> bind(const Graph& graph, WeightSource& weights,
                                 const CompileOptions& options);

  const Graph& graph() const { return *graph_; }
  const BoundValue& value(ValueId id) const { return values_[id]; }
  const TensorType& type(ValueId id) const { return *values_[id].type; }
  // Nodes that a run has to do, in order.
  const std::vector<std::uint32_t>& nodes() const { return live_; }

  // The contents, read from the file if they are stored and small; nullptr if they are not known or
  // larger than `limit` bytes.
  Result<std::shared_ptr<const WipedBytes>> contents(ValueId id, std::uint64_t limit = kFoldLimit);
  // The same of float32 values, as floats; empty if they are not known.
  Result<Floats> floats(ValueId id, std::uint64_t limit = kFoldLimit);
  bool is_known(ValueId id) const { return values_[id].constant || values_[id].stored; }

 private:
  BoundGraph(const Graph& graph, WeightSource& weights) : graph_(&graph), weights_(&weights) {}
  Status bind_initializers();
  Status bind_inputs(const CompileOptions& options);
  Status bind_node(std::uint32_t index);
  Result<InferContext> infer_context(const Node& node);
  Status fold(const Node& node, const std::vector<TensorType>& types);
  Result<bool> view(const Node& node, const TensorType& type);
  Result<bool> view_dequantized(const Node& node, StoredView& view);
  bool may_fold(const Node& node, const std::vector<TensorType>& types, std::uint64_t limit) const;
  void find_live();

  const Graph* graph_;
  WeightSource* weights_;
  std::vector<BoundValue> values_;
  std::vector<bool> done_;  // nodes that a run need not do
  std::vector<std::uint32_t> live_;
};

}  // namespace sealpack::nn::program
