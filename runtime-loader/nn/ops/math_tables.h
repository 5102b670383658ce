// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator_tables.h"

// Tables of the operators that compute (math_*.cc). Their types are those of an operator's newest
// form up to opset 17: an older graph may use them too, where all else is equal.
namespace sealpack::nn {

std::span<const Operator> unary_operators();
std::span<const Operator> activation_operators();
std::span<const Operator> binary_operators();
std::span<const Operator> comparison_operators();
std::span<const Operator> variadic_operators();
std::span<const Operator> matmul_operators();
std::span<const Operator> conv_operators();
std::span<const Operator> pool_operators();
std::span<const Operator> einsum_operators();
std::span<const Operator> recurrent_operators();
std::span<const Operator> reduce_operators();
std::span<const Operator> softmax_operators();
std::span<const Operator> normalize_operators();
std::span<const Operator> normalize_axes_operators();
std::span<const Operator> quantize_operators();
std::span<const Operator> integer_operators();
std::span<const Operator> unpool_operators();

inline constexpr OperatorTable kMathTables[] = {
    &unary_operators,     &activation_operators, &binary_operators,    &comparison_operators,
    &variadic_operators,  &matmul_operators,     &conv_operators,      &pool_operators,
    &reduce_operators,    &softmax_operators,    &normalize_operators, &normalize_axes_operators,
    &quantize_operators,  &integer_operators,    &unpool_operators,    &einsum_operators,
    &recurrent_operators,
};

}  // namespace sealpack::nn
