// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_scratch.h"
#include "runtime-loader/nn/ops/math_types.h"

// Tensors as arrays of the type that arithmetic is done in: where they are if they are of it, in
// scratch memory otherwise.
namespace sealpack::nn {

template <typename T>
class Operand {
 public:
  using C = Computed<T>;
  static Result<Operand> make(const ConstTensor& tensor, Memory& memory) {
    const std::span<const T> elements = tensor.elements<T>();
    if constexpr (std::is_same_v<T, C>) {
      return Operand(elements.data(), TRY(Scratch<C>::make(memory, 0)));
    } else {
      Scratch<C> copy = TRY(Scratch<C>::make(memory, elements.size()));
      for (std::size_t i = 0; i < elements.size(); ++i) copy.data()[i] = load(elements[i]);
      const C* data = copy.data();
      return Operand(data, std::move(copy));
    }
  }
  const C* data() const { return data_; }

 private:
  Operand(const C* data, Scratch<C> copy) : data_(data), copy_(std::move(copy)) {}
  const C* data_;
  Scratch<C> copy_;
};

// Contents are undefined at first; `finish` brings them to the tensor.
template <typename T>
class OutputOperand {
 public:
  using C = Computed<T>;
  static Result<OutputOperand> make(const Tensor& tensor, Memory& memory) {
    if constexpr (std::is_same_v<T, C>) {
      return OutputOperand(tensor, tensor.elements<T>().data(), TRY(Scratch<C>::make(memory, 0)));
    } else {
      Scratch<C> copy = TRY(Scratch<C>::make(memory, tensor.elements<T>().size()));
      C* data = copy.data();
      return OutputOperand(tensor, data, std::move(copy));
    }
  }
  C* data() const { return data_; }
  void finish() const {
    if constexpr (!std::is_same_v<T, C>) {
      const std::span<T> out = tensor_.elements<T>();
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = store<T>(data_[i]);
    }
  }

 private:
  OutputOperand(const Tensor& tensor, C* data, Scratch<C> copy)
      : tensor_(tensor), data_(data), copy_(std::move(copy)) {}
  Tensor tensor_;
  C* data_;
  Scratch<C> copy_;
};

}  // namespace sealpack::nn
