// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/operator_tables.h"

// Tables of the operators that move data (data_*.cc).
namespace sealpack::nn {

std::span<const Operator> data_cast_operators();
std::span<const Operator> data_fill_operators();
std::span<const Operator> data_gather_operators();
std::span<const Operator> data_join_operators();
std::span<const Operator> data_rearrange_operators();
std::span<const Operator> data_resize_operators();
std::span<const Operator> data_scatter_operators();
std::span<const Operator> data_select_operators();
std::span<const Operator> data_shape_operators();
std::span<const Operator> data_slice_operators();

inline constexpr OperatorTable kDataTables[] = {
    &data_cast_operators,    &data_fill_operators,      &data_gather_operators,
    &data_join_operators,    &data_rearrange_operators, &data_resize_operators,
    &data_scatter_operators, &data_select_operators,    &data_shape_operators,
    &data_slice_operators,
};

}  // namespace sealpack::nn
