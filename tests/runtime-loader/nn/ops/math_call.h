// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "runtime-loader/nn/ops/math_types.h"
#include "runtime-loader/nn/ops/operator.h"
#include "tests/runtime-loader/nn/ops/interpreter.h"

namespace sealpack::nn::testing {

// One node with its inputs, all of them known constants: Call("Add").input<float>({2}, {1, 2})….
class Call {
 public:
  explicit Call(std::string op, std::int64_t opset = 17) : opset_(opset) {
    node_.op = std::move(op);
  }

  // T is the element type, V what `values` are written in.
  template <typename T, typename V = Computed<T>>
  Call& input(Shape shape, std::vector<V> values) {
    OwnedTensor tensor(TensorType{dtype_of<T>(), shape});
    if (values.size() != tensor.view().elements<T>().size()) ADD_FAILURE() << "count of values";
    std::ranges::transform(values, tensor.view().elements<T>().begin(),
                           [](V value) { return store<T>(static_cast<Computed<T>>(value)); });
    return push({tensor.type(), tensor});
  }
  // Zeros of any type and shape.
  Call& zeros(DType dtype, Shape shape) {
    const TensorType type{dtype, shape};
    return push({type, OwnedTensor(type)});
  }
  // No constant, and perhaps too large to exist: only to be typed.
  Call& typed_only(DType dtype, Shape shape) {
    return push({TensorType{dtype, shape}, std::nullopt});
  }
  Call& no_input() { return push({std::nullopt, std::nullopt}); }

  template <typename V>
  Call& with(std::string name, V value) {
    if constexpr (std::is_same_v<V, int>) {
      node_.attributes.push_back({std::move(name), std::int64_t{value}});
    } else if constexpr (std::is_same_v<V, const char*>) {
      node_.attributes.push_back({std::move(name), std::string(value)});
    } else {
      node_.attributes.push_back({std::move(name), std::move(value)});
    }
    return *this;
  }
  Call& list(std::string name, std::vector<std::int64_t> values) {
    return with(std::move(name), std::move(values));
  }
  Call& outputs(std::size_t count) {
    output_count_ = count;
    return *this;
  }

  Result<std::vector<TensorType>> infer() {
    name_outputs();
    InferContext context{node_, opset_, {}, {}};
    for (const Slot& slot : slots_) {
      context.inputs.push_back(slot.type ? &*slot.type : nullptr);
      context.constants.push_back(slot.tensor ? slot.tensor->view() : ConstTensor{});
    }
    return infer_node(context);
  }

  Result<std::vector<OwnedTensor>> run(std::size_t memory_limit = std::size_t{1} << 26U) {
    const std::vector<TensorType> types = TRY(infer());
    std::vector<OwnedTensor> results;
    for (const TensorType& type : types) results.emplace_back(type);
    HeapMemory memory(memory_limit);
    RunContext context{node_, opset_, {}, {}, memory, no_workers()};
    for (const Slot& slot : slots_) {
      context.inputs.push_back(slot.tensor ? std::as_const(*slot.tensor).view() : ConstTensor{});
    }
    for (OwnedTensor& result : results) context.outputs.push_back(result.view());
    TRY(run_node(context));
    return results;
  }

  // The elements of output `index`; a failure of the test and nothing where there are none.
  template <typename T>
  std::vector<Computed<T>> values(std::size_t index = 0) {
    const Result<std::vector<OwnedTensor>> results = run();
    if (!results.ok()) {
      ADD_FAILURE() << results.error().message();
      return {};
    }
    const OwnedTensor& result = results->at(index);
    if (result.type().dtype != dtype_of<T>()) {
      ADD_FAILURE() << "output of type " << to_string(result.type().dtype);
      return {};
    }
    std::vector<Computed<T>> numbers;
    for (const T& element : result.view().elements<T>()) numbers.push_back(load(element));
    return numbers;
  }
  // The shape of output `index`, as text.
  std::string shape(std::size_t index = 0) {
    const Result<std::vector<TensorType>> types = infer();
    return types.ok() ? to_string(types->at(index).shape) : types.error().message();
  }

 private:
  struct Slot {
    std::optional<TensorType> type;
    std::optional<OwnedTensor> tensor;
  };

  Call& push(Slot slot) {
    node_.inputs.push_back(slot.type ? static_cast<ValueId>(slots_.size()) : kNoValue);
    slots_.push_back(std::move(slot));
    return *this;
  }
  void name_outputs() {
    node_.outputs.clear();
    for (std::size_t i = 0; i < output_count_; ++i) {
      node_.outputs.push_back(static_cast<ValueId>(1000 + i));
    }
  }

  Node node_;
  std::int64_t opset_;
  std::size_t output_count_ = 1;
  std::vector<Slot> slots_;
};

}  // namespace sealpack::nn::testing
