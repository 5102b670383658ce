// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_broadcast.h"

// Operators that map elements one by one. `Op` is a function object with operator()(value…) on the
// type that arithmetic is done in; one with attributes has `static Result<Op> make(const Node&)`.
namespace sealpack::nn {

template <typename Op>
Result<Op> make_op(const Node& node) {
  if constexpr (requires { Op::make(node); }) {
    return Op::make(node);
  } else {
    return Op{};
  }
}

template <typename Types, typename Op>
Result<std::vector<TensorType>> infer_map(const InferContext& context) {
  const TensorType* input = TRY(typed_input<Types>(context, 0));
  TRY(make_op<Op>(context.node));
  return std::vector<TensorType>{*input};
}

template <typename Types, typename Op>
Status run_map(RunContext& context) {
  const Op op = TRY(make_op<Op>(context.node));
  const ConstTensor& input = context.inputs[0];
  return dispatch(Types{}, input.type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = input.elements<T>();
    const std::span<T> out = context.outputs[0].elements<T>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = store<T>(static_cast<Computed<T>>(op(load(in[i]))));
    }
    return done();
  });
}

// The same with booleans out.
template <typename Types, typename Op>
Result<std::vector<TensorType>> infer_test(const InferContext& context) {
  const TensorType* input = TRY(typed_input<Types>(context, 0));
  TRY(make_op<Op>(context.node));
  return std::vector<TensorType>{{DType::kBool, input->shape}};
}

template <typename Types, typename Op>
Status run_test(RunContext& context) {
  const Op op = TRY(make_op<Op>(context.node));
  const ConstTensor& input = context.inputs[0];
  return dispatch(Types{}, input.type.dtype, [&]<typename T>() -> Status {
    const std::span<const T> in = input.elements<T>();
    const std::span<Boolean> out = context.outputs[0].elements<Boolean>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = store<Boolean>(op(load(in[i])));
    return done();
  });
}

// out[i] = op(a[i * a_step], b[i * b_step]); steps are 0 or 1. `out` may be `a` or `b`.
template <typename T, typename Out, typename Op>
void combine_run(const T* a, std::size_t a_step, const T* b, std::size_t b_step, Out* out,
                 std::size_t count, const Op& op) {
  if (a_step != 0 && b_step != 0) {
    for (std::size_t i = 0; i < count; ++i) out[i] = store<Out>(op(load(a[i]), load(b[i])));
  } else if (a_step != 0) {
    const auto right = load(*b);
    for (std::size_t i = 0; i < count; ++i) out[i] = store<Out>(op(load(a[i]), right));
  } else {
    const auto left = load(*a);
    for (std::size_t i = 0; i < count; ++i) out[i] = store<Out>(op(left, load(b[i * b_step])));
  }
}

template <typename T, typename Out, typename Op>
void combine(const ConstTensor& a, const ConstTensor& b, const Tensor& out, const Op& op) {
  const BroadcastRuns<2> runs(out.type.shape, {a.type.shape, b.type.shape});
  const T* left = a.elements<T>().data();
  const T* right = b.elements<T>().data();
  Out* to = out.elements<Out>().data();
  runs.for_each([&](std::size_t offset, const auto& offsets, std::size_t count) {
    combine_run(left + offsets[0], runs.step(0), right + offsets[1], runs.step(1), to + offset,
                count, op);
  });
}

template <typename Types, typename Op>
Result<std::vector<TensorType>> infer_combine(const InferContext& context) {
  const TensorType* a = TRY(typed_input<Types>(context, 0));
  TRY(check_same_type(context, 0, 1));
  TRY(make_op<Op>(context.node));
  return std::vector<TensorType>{{a->dtype, TRY(broadcast(a->shape, context.inputs[1]->shape))}};
}

template <typename Types, typename Op>
Status run_combine(RunContext& context) {
  const Op op = TRY(make_op<Op>(context.node));
  return dispatch(Types{}, context.inputs[0].type.dtype, [&]<typename T>() -> Status {
    combine<T, T>(context.inputs[0], context.inputs[1], context.outputs[0], op);
    return done();
  });
}

}  // namespace sealpack::nn
