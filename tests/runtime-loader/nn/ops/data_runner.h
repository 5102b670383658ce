// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

#include "runtime-loader/nn/ops/math_types.h"
#include "runtime-loader/nn/ops/operator.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"

// One operator by itself, for tests.
namespace sealpack::nn::testing {

template <typename T>
OwnedTensor tensor(const Shape& shape, const std::vector<T>& values) {
  const TensorType type = {dtype_of<T>(), shape};
  return {type, {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)}};
}
inline OwnedTensor integers(const std::vector<std::int64_t>& values) {
  return tensor(Shape{static_cast<std::int64_t>(values.size())}, values);
}
inline OwnedTensor scalar(std::int64_t value) {
  return tensor<std::int64_t>(Shape{}, {value});
}
inline OwnedTensor bools(const Shape& shape, const std::vector<std::uint8_t>& values) {
  return {{DType::kBool, shape}, values};
}
// 0, 1, 2, … in a tensor of the shape.
template <typename T>
OwnedTensor counting(const Shape& shape) {
  std::vector<T> values(static_cast<std::size_t>(shape.element_count()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
  return tensor(shape, values);
}
template <typename T>
std::vector<T> values_of(const OwnedTensor& tensor) {
  if (tensor.type().dtype != dtype_of<T>()) die("a tensor of another type");
  const auto elements = tensor.view().elements<T>();
  return {elements.begin(), elements.end()};
}

class OperatorRun {
 public:
  OperatorRun(std::string op, std::int64_t opset) : opset_(opset) {
    node_.op = std::move(op);
    outputs(1);
  }
  OperatorRun& input(OwnedTensor tensor) {
    inputs_.push_back({std::move(tensor), true, true});
    return *this;
  }
  // One whose contents infer does not see.
  OperatorRun& unknown(OwnedTensor tensor) {
    inputs_.push_back({std::move(tensor), true, false});
    return *this;
  }
  OperatorRun& no_input() {
    inputs_.push_back({OwnedTensor(), false, false});
    return *this;
  }
  template <typename T>
  OperatorRun& attribute(std::string name, T value) {
    Attribute attribute;
    attribute.name = std::move(name);
    attribute.value = std::move(value);
    node_.attributes.push_back(std::move(attribute));
    return *this;
  }
  OperatorRun& axis(std::int64_t value) { return attribute("axis", value); }
  OperatorRun& outputs(std::size_t count) {
    node_.outputs.resize(count);
    return *this;
  }

  Result<std::vector<TensorType>> infer() const { return infer_node(infer_context()); }

  Result<std::vector<OwnedTensor>> run() const {
    const std::vector<TensorType> types = TRY(infer());
    HeapMemory memory;
    RunContext context{node_, opset_, {}, {}, memory, no_workers()};
    for (const Input& input : inputs_) {
      context.inputs.push_back(input.is_there ? input.tensor.view() : ConstTensor{});
    }
    std::vector<OwnedTensor> results;
    for (const TensorType& type : types) results.emplace_back(type);
    for (OwnedTensor& result : results) context.outputs.push_back(result.view());
    TRY(run_node(context));
    return results;
  }

  // The first output, of what must succeed.
  OwnedTensor first() const {
    auto results = run();
    if (!results.ok()) die(results.error().message().c_str());
    return results->front();
  }

 private:
  struct Input {
    OwnedTensor tensor;
    bool is_there;
    bool is_known;
  };

  InferContext infer_context() const {
    InferContext context{node_, opset_, {}, {}};
    for (const Input& input : inputs_) {
      context.inputs.push_back(input.is_there ? &input.tensor.type() : nullptr);
      ConstTensor known = input.is_there ? input.tensor.view() : ConstTensor{};
      if (!input.is_known) known.data = nullptr;
      context.constants.push_back(known);
    }
    return context;
  }

  Node node_;
  std::int64_t opset_;
  std::vector<Input> inputs_;
};

}  // namespace sealpack::nn::testing
