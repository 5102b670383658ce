// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator_tables.h"

// Tables of the operators that move data (data_*.cc).
namespace sealpack::nn {

std::span<const Operator> data_shape_operators();

inline constexpr OperatorTable kDataTables[] = {
    &data_shape_operators,
};

}  // namespace sealpack::nn
