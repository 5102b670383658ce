// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator.h"

// Each file of operators exports one table; registry.cc joins those listed in data_tables.h and
// math_tables.h. README.md says how to add an operator.
namespace sealpack::nn {

using OperatorTable = std::span<const Operator> (*)();
inline constexpr std::int64_t kFirstOpset = 9;
inline constexpr std::int64_t kLastOpset = 17;

}  // namespace sealpack::nn
