// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/math_elementwise.h"
#include "runtime-loader/nn/ops/math_tables.h"

namespace sealpack::nn {
namespace {

template <typename Types>
Result<std::vector<TensorType>> infer_compare(const InferContext& context) {
  const TensorType* a = TRY(typed_input<Types>(context, 0));
  TRY(check_same_type(context, 0, 1));
  return std::vector<TensorType>{
      {DType::kBool, TRY(broadcast(a->shape, context.inputs[1]->shape))}};
}

template <typename Types, typename Op>
Status run_compare(RunContext& context) {
  return dispatch(Types{}, context.inputs[0].type.dtype, [&]<typename T>() -> Status {
    combine<T, Boolean>(context.inputs[0], context.inputs[1], context.outputs[0], Op{});
    return done();
  });
}

template <typename Types, typename Op>
constexpr Operator compare_operator(const char* name, std::int64_t first_opset) {
  return {name, first_opset, kLastOpset, 2, 2, 1, infer_compare<Types>, run_compare<Types, Op>};
}

constexpr Operator kOperators[] = {
    compare_operator<BooleanType, std::logical_and<>>("And", 7),
    compare_operator<AllTypes, std::equal_to<>>("Equal", 7),
    compare_operator<NumberTypes, std::greater<>>("Greater", 9),
    compare_operator<NumberTypes, std::greater_equal<>>("GreaterOrEqual", 12),
    compare_operator<NumberTypes, std::less<>>("Less", 9),
    compare_operator<NumberTypes, std::less_equal<>>("LessOrEqual", 12),
    compare_operator<BooleanType, std::logical_or<>>("Or", 7),
    compare_operator<BooleanType, std::not_equal_to<>>("Xor", 7),
};

}  // namespace

std::span<const Operator> comparison_operators() {
  return kOperators;
}

}  // namespace sealpack::nn
