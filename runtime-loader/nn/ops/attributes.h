// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator.h"

// What nearly every operator asks of its node and inputs. All of it is untrusted; failures are
// kMalformed and name the attribute or input.
namespace sealpack::nn {

// An attribute, or the fallback where the node does not have it.
Result<std::int64_t> int_attribute(const Node& node, std::string_view name, std::int64_t fallback);
Result<bool> bool_attribute(const Node& node, std::string_view name, bool fallback);  // 0 or 1
Result<float> float_attribute(const Node& node, std::string_view name, float fallback);
Result<std::string> text_attribute(const Node& node, std::string_view name,
                                   std::string_view fallback);
// nullptr where the node does not have it; lives as long as the node.
Result<const std::vector<std::int64_t>*> ints_attribute(const Node& node, std::string_view name);
Result<const std::vector<float>*> floats_attribute(const Node& node, std::string_view name);
Result<const StoredTensor*> tensor_attribute(const Node& node, std::string_view name);

// -rank … rank-1 to 0 … rank-1. With rank 0, only what `Shape` rank 0 allows: nothing.
Result<std::size_t> to_axis(std::int64_t axis, std::size_t rank);
// The axis attribute `name`, or `fallback`, so converted.
Result<std::size_t> axis_attribute(const Node& node, std::string_view name, std::int64_t fallback,
                                   std::size_t rank);

// Whether input or output `index` is there.
template <typename T>
bool has_input(const std::vector<const T*>& inputs, std::size_t index) {
  return index < inputs.size() && inputs[index] != nullptr;
}
inline bool has_input(const RunContext& context, std::size_t index) {
  return index < context.inputs.size() && context.inputs[index].data != nullptr;
}
inline bool has_input(const InferContext& context, std::size_t index) {
  return has_input(context.inputs, index);
}

// Whether the contents of input `index`, which is there, are known by now.
bool is_known(const InferContext& context, std::size_t index);

// Elements of a tensor of int32 or int64 with rank 0 or 1.
Result<std::vector<std::int64_t>> to_integers(const ConstTensor& tensor);
// Those of input `index`, which must be known by now: kUnsupported "the shape depends on …"
// otherwise. `what` names the input ("axes").
Result<std::vector<std::int64_t>> constant_integers(const InferContext& context, std::size_t index,
                                                    const char* what);
// Refuses input `index` unless its type is one of `allowed`.
Status check_dtype(const InferContext& context, std::size_t index,
                   std::initializer_list<DType> allowed);

// Shape by NumPy's rule for broadcasting; kMalformed naming both.
Result<Shape> broadcast(const Shape& a, const Shape& b);

}  // namespace sealpack::nn
