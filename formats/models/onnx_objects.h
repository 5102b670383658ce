// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_tensor.h"

namespace sealpack::models::onnx {

inline constexpr std::uint64_t kMaxTensorCount = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t kMaxNameSize = std::uint64_t{8} << 10U;
inline constexpr std::uint64_t kMaxNameTotal = std::uint64_t{64} << 20U;
// Shorter attribute lists of nodes other than Constant are hyper-parameters ("kernel_shape").
inline constexpr std::uint64_t kMaxClearElements = 16;
inline constexpr std::uint64_t kMaxClearStringSize = 1024;

// A place in a model that holds tensor data, and how the data is taken out of it.
struct Object {
  enum class Place {
    kInitializer,  // of `scope`, dense or sparse
    kConstant,     // a Constant node of `scope`
    kAttribute,    // of some other node or a function's default: no input can stand in for it
  };
  Place place = Place::kInitializer;
  const Message* scope = nullptr;  // GraphProto or FunctionProto
  const Message* root = nullptr;   // GraphProto without an outer scope, or FunctionProto
  const Field* record = nullptr;   // field of `scope` that goes when the data goes
  std::string value_name;          // in `scope`
  std::string input_name;          // of the graph input that replaces it, unique in the model
  bool is_main = false;            // `scope` is the model's graph: both names are the same
  bool is_input = false;           // `scope` already has an input of that name
  bool is_sparse = false;          // two tensors: values, indices
  unsigned type = 0;               // of the value
  std::vector<std::uint64_t> dims;
};

// A node that calls a function of the model.
struct Call {
  const Message* node;
  const Message* root;
  std::size_t function;
};

// Refers to the parsed model.
struct ModelIndex {
  std::vector<Object> objects;
  // One entry a tensor, in file order.
  std::vector<Tensor> tensors;
  std::vector<TensorData> data;
  std::vector<std::size_t> object_of;

  std::vector<const Message*> functions;
  std::vector<Call> calls;
};

// Finds all tensor data at any depth. Names:
//   w                          initializer of the model's graph, or output of a Constant node there
//   graph/if0/then_branch/w    the same in a subgraph: node name (or first output, or "node" and
//                              its index), attribute, value; "[i]" behind an attribute of several
//   graph/trees/nodes_values   attribute of another node
//   function/Gelu/...          body of a function, training_info[0]/algorithm/... of a training
//   graph w.values, w.indices        of a sparse tensor w
// and "~2" behind a nested name that is taken. kMalformed, kUnsupported, kUsage, kLimit.
Result<ModelIndex> index_model(const ModelFiles& files, const Message& model);

}  // namespace sealpack::models::onnx
