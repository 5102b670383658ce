// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "runtime-loader/nn/ops/operator_tables.h"

// Tables of the operators that compute (math_*.cc).
namespace sealpack::nn {

inline constexpr std::array<OperatorTable, 0> kMathTables{};

}  // namespace sealpack::nn
