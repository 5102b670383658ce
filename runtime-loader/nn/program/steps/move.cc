// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/move.h"

#include <array>
#include <cstring>

#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {

Status TransposeStep::run(const Work& work) const {
  const std::uint64_t size = in_rows * in_columns;
  for (std::uint64_t i = 0; i < batch; ++i) {
    work.kernels.transpose(work.inputs[0].floats(i * size), in_rows, in_columns,
                           work.outputs[0].floats(i * size));
  }
  return done();
}

Status PermuteStep::run(const Work& work) const {
  std::array<std::uint64_t, kMaxRank> at{};
  const std::uint8_t* in = work.inputs[0].at(0);
  std::uint8_t* out = work.outputs[0].at(0);
  const std::size_t rank = counts.size();
  const std::uint64_t inner = counts[rank - 1];
  const std::uint64_t inner_stride = strides[rank - 1];
  for (std::uint64_t left = output_sizes[0]; left > 0; left -= inner * run_size) {
    for (std::uint64_t i = 0; i < inner; ++i, out += run_size) {
      std::memcpy(out, in + i * inner_stride, run_size);
    }
    for (std::size_t axis = rank - 1; axis-- > 0;) {
      in += strides[axis];
      if (++at[axis] < counts[axis]) break;
      in -= strides[axis] * counts[axis];
      at[axis] = 0;
    }
  }
  return done();
}

Range ConcatStep::input_bytes(std::size_t input, Range rows) const {
  return {rows.first * row_sizes[input], rows.last * row_sizes[input]};
}

Range ConcatStep::output_bytes(std::size_t, Range rows) const {
  return {rows.first * out_row_size, rows.last * out_row_size};
}

Status ConcatStep::run(const Work& work) const {
  std::uint64_t skip = 0;
  for (std::size_t i = 0; i < row_sizes.size(); skip += row_sizes[i], ++i) {
    if (row_sizes[i] == 0) continue;
    for (std::uint64_t row = work.rows.first; row < work.rows.last; ++row) {
      std::memcpy(work.outputs[0].at(row * out_row_size + skip),
                  work.inputs[i].at(row * row_sizes[i]), row_sizes[i]);
    }
  }
  return done();
}

// The weights are fetched to where the tensor is.
Status LoadStep::run(const Work&) const {
  return done();
}

Result<std::uint64_t> LookupStep::index(const Work& work, std::uint64_t i) const {
  std::int64_t value = 0;
  if (index_type == DType::kI64) {
    std::memcpy(&value, work.inputs[0].at(i * 8), 8);
  } else {
    std::int32_t narrow = 0;
    std::memcpy(&narrow, work.inputs[0].at(i * 4), 4);
    value = narrow;
  }
  const auto count = static_cast<std::int64_t>(table_rows);
  if (value < -count || value >= count) {
    return Error(ErrorCode::kMalformed, "index " + std::to_string(value) + " in a table of " +
                                            std::to_string(count) + " rows");
  }
  return static_cast<std::uint64_t>(value < 0 ? value + count : value);
}

Status LookupStep::run(const Work& work) const {
  const std::uint64_t per_unit = weights->inner / row_size;
  const Range here{work.units.first * per_unit, std::min(work.units.last * per_unit, table_rows)};
  const auto* table = reinterpret_cast<const std::uint8_t*>(work.packed);
  for (std::uint64_t i = 0; i < index_count; ++i) {
    const std::uint64_t row = TRY(index(work, i));
    if (row < here.first || row >= here.last) continue;
    std::memcpy(work.outputs[0].at(i * row_size), table + (row - here.first) * row_size, row_size);
  }
  return done();
}

}  // namespace sealpack::nn::program
