// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::plan {

inline constexpr std::uint32_t kNobody = ~std::uint32_t{0};

// A model's graph seen as who feeds whom: what a division needs and no more. Made from an nn::Graph
// (dataflow_of) or from ONNX messages (packer/schemes/layers).
struct Dataflow {
  struct Value {
    std::string name;
    std::uint32_t producer = kNobody;  // node
    bool is_input = false;             // of the graph
    bool is_output = false;
    bool is_constant = false;  // an initializer
    // A constant that must not be in both halves: everything but the small ones that only say how
    // something is done (shapes, axes, clip limits; is_structure) and those of one repeated number,
    // which exporters share between layers (is_uniform).
    bool is_weight = false;
    std::uint64_t elements = 0;  // of a constant
  };
  struct Node {
    std::string op;
    std::string name;                  // may be empty
    std::vector<std::uint32_t> reads;  // values, each once, with those that its subgraphs read
    std::vector<std::uint32_t> makes;  // values
    bool holds_weight = false;         // in an attribute: a Constant node
    std::uint64_t elements = 0;        // of such an attribute
  };

  std::vector<Value> values;
  std::vector<Node> nodes;             // in an order in which they can run
  std::vector<std::uint32_t> inputs;   // values, without initializers
  std::vector<std::uint32_t> outputs;  // values
  std::map<std::string, std::uint32_t, std::less<>> value_of;

  std::uint32_t add_value(std::string_view name);  // or finds it
  // kMalformed for a value that is made twice or read before it is made; kUnsupported for an output
  // that no node makes.
  Status check() const;
  // What names a node in a plan: the first value it makes.
  const std::string& key(std::uint32_t node) const;
};

// Constants that may be in both halves: at most 1024 bytes, and at most 16 elements or integers
// that count (int64) or booleans. `onnx_type` is a TensorProto.DataType.
bool is_structure(std::uint64_t onnx_type, std::uint64_t elements, std::uint64_t size);
// Constants up to this size are looked at: the weights of a normalisation that was never trained.
inline constexpr std::uint64_t kMaxUniformSize = std::uint64_t{64} << 10U;
// All elements are the same bytes.
bool is_uniform(Bytes bytes, std::uint64_t elements);

}  // namespace sealpack::plan
