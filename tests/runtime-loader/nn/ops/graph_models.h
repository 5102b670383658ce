// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/formats/models/onnx_builder.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"

// Small ONNX models for tests, right or wrong.
namespace sealpack::nn::testing {

using models::testing::Proto;
using Names = std::vector<std::string_view>;

// ValueInfoProto; -1 is the dimension named N.
inline Proto tensor_info(std::string_view name, std::uint64_t type,
                         const std::vector<std::int64_t>& dims) {
  Proto shape;
  for (const std::int64_t dim : dims) {
    shape.message(
        1, dim == -1 ? Proto().text(2, "N") : Proto().integer(1, static_cast<std::uint64_t>(dim)));
  }
  const Proto tensor = Proto().integer(1, type).message(2, shape);
  return Proto().text(1, name).message(2, Proto().message(1, tensor));
}

// TensorProto of raw_data.
inline Proto raw(std::string_view name, std::uint64_t type, const std::vector<std::uint64_t>& dims,
                 Bytes bytes) {
  return Proto().packed(1, dims).integer(2, type).text(8, name).bytes(9, bytes);
}
inline Proto int64s(std::string_view name, const std::vector<std::int64_t>& values) {
  return raw(name, 7, {values.size()},
             {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * 8});
}
inline Proto floats(std::string_view name, const std::vector<float>& values) {
  return raw(name, 1, {values.size()},
             {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * 4});
}

// AttributeProto.
inline Proto int_of(std::string_view name, std::int64_t value) {
  return Proto().text(1, name).integer(3, static_cast<std::uint64_t>(value)).integer(20, 2);
}
inline Proto ints_of(std::string_view name, const std::vector<std::int64_t>& values) {
  return Proto()
      .text(1, name)
      .packed(8, std::vector<std::uint64_t>(values.begin(), values.end()))
      .integer(20, 7);
}
inline Proto tensor_of(std::string_view name, const Proto& tensor) {
  return Proto().text(1, name).message(5, tensor).integer(20, 4);
}

inline Proto make_node(std::string_view op, const Names& inputs, const Names& outputs,
                       const std::vector<Proto>& attributes = {}, std::string_view name = "") {
  Proto node;
  for (const std::string_view input : inputs) node.text(1, input);
  for (const std::string_view output : outputs) node.text(2, output);
  if (!name.empty()) node.text(3, name);
  node.text(4, op);
  for (const Proto& attribute : attributes) node.message(5, attribute);
  return node;
}

inline Proto make_model(const Proto& graph, std::uint64_t opset = 13, std::uint64_t ir = 8) {
  return Proto().integer(1, ir).message(8, Proto().integer(2, opset)).message(7, graph);
}

// y = Relu(x) for x of [N,3].
inline Proto relu_graph() {
  return Proto()
      .message(1, make_node("Relu", {"x"}, {"y"}, {}, "act"))
      .text(2, "g")
      .message(11, tensor_info("x", 1, {-1, 3}))
      .message(12, tensor_info("y", 1, {-1, 3}));
}

inline Result<Graph> load(const Proto& model) {
  return load_without_files(MemorySource(model.get()));
}

}  // namespace sealpack::nn::testing
