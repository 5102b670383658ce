// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "formats/base/block_source.h"
#include "runtime-loader/nn/tensor.h"

namespace sealpack::nn {

// A value of the graph: an input, an initializer or what a node computes. Index into Graph::values.
using ValueId = std::uint32_t;
inline constexpr ValueId kNoValue = ~ValueId{0};  // an optional input or output that is left out

// An initializer or a tensor in an attribute. Small ones (at most kInlineSize bytes) and those
// whose encoding is not plain little-endian bytes are decoded into `bytes`; others stay in their
// file.
inline constexpr std::uint64_t kInlineSize = 256;
struct StoredTensor {
  TensorType type;
  bool is_inline = true;
  ByteVector bytes;          // dense little-endian, if inline
  std::uint32_t file = 0;    // as in WeightSource
  std::uint64_t offset = 0;  // of type.size() bytes
};

struct Attribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
               std::vector<std::string>, StoredTensor>
      value;
};

struct Node {
  std::string op;    // "Conv"
  std::string name;  // may be empty
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<Attribute> attributes;

  const Attribute* find(std::string_view attribute) const;
};

// A dimension of a graph input: a number, or a name that stands for one.
struct Dimension {
  std::int64_t value = -1;  // -1: symbolic
  std::string symbol;       // may be empty
};

struct Value {
  std::string name;
  std::optional<DType> dtype;                        // declared
  std::optional<std::vector<Dimension>> dimensions;  // declared
  std::optional<StoredTensor> stored;                // an initializer
};

// A checked ONNX graph: ai.onnx operators of one opset, nodes in topological order, every value
// defined once before its use, every operator known to the registry.
struct Graph {
  std::int64_t opset = 0;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;  // without initializers
  std::vector<ValueId> outputs;
  std::vector<std::string> external_files;  // file 1, 2, … of StoredTensor, relative paths

  std::optional<ValueId> find(std::string_view name) const;
};

// An untrusted name for a message: printable, and cut where more of it would help nobody.
std::string shown(std::string_view name);

// Sizes of the external data files, by the path the model names; kIo or kMalformed for one that is
// not there.
using ExternalSize = std::function<Result<std::uint64_t>(std::string_view path)>;

// Reads an ONNX file (IR version 3–10, opset 9–17) without its bulk. Nothing in it is trusted:
// kMalformed, kLimit, and kUnsupported that names the operator, its opset and node, or the type.
Result<Graph> load_graph(const BlockSource& model, const ExternalSize& external_size);

}  // namespace sealpack::nn
