// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/matrix.h"

#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {
namespace {

// Bytes from the first to the last float of pieces `rows`, if they lie in ascending order.
Range bytes_of(const std::vector<std::uint64_t>& starts, Range rows, std::uint64_t extent,
               std::uint64_t whole) {
  if (!std::is_sorted(starts.begin(), starts.end())) return {0, whole};
  return {starts[rows.first] * sizeof(float), (starts[rows.last - 1] + extent) * sizeof(float)};
}

}  // namespace

Range MatrixStep::input_bytes(std::size_t input, Range rows) const {
  const std::uint64_t row_size = (input == 0 ? inner : columns) * sizeof(float);
  return {rows.first * row_size, rows.last * row_size};
}

Range MatrixStep::output_bytes(std::size_t, Range rows) const {
  return {rows.first * columns * sizeof(float), rows.last * columns * sizeof(float)};
}

MatrixStep::Piece MatrixStep::piece(const Work& work) const {
  if (weights->form == PackedWeights::Form::kRows) {
    constexpr std::uint64_t kUnit = PackedWeights::kRowsPerUnit;
    return {{0, columns}, {work.units.first * kUnit, std::min(work.units.last * kUnit, inner)}};
  }
  const std::uint64_t panel = work.kernels.panel;
  return {{work.units.first * panel, std::min(work.units.last * panel, columns)}, {0, inner}};
}

Status MatrixStep::run(const Work& work) const {
  const Piece all = piece(work);
  const std::uint64_t size = work.rows.count() * all.columns.count() * all.inner.count();
  const std::size_t parts = useful_parts(work, size);
  const bool by_rows = work.rows.count() >= 2 * parts * work.kernels.row_block ||
                       all.columns.count() < parts * work.kernels.panel;
  run_parts(work.workers, parts, [&](std::size_t part) {
    const Range rows =
        by_rows ? part_of(work.rows, work.kernels.row_block, parts, part) : work.rows;
    const Range wide =
        by_rows ? all.columns : part_of(all.columns, work.kernels.panel, parts, part);
    if (rows.count() > 0 && wide.count() > 0) run_part(work, rows, all, wide);
  });
  return done();
}

void MatrixStep::run_part(const Work& work, Range rows, const Piece& all, Range wide) const {
  const std::uint64_t at = rows.first * columns + wide.first;
  const bool is_last = all.inner.last == inner;
  const kernels::Epilogue finish{bias.empty() ? nullptr : bias.data() + wide.first,
                                 inputs.size() > 1 ? work.inputs[1].floats(at) : nullptr,
                                 activation, low, high};
  work.kernels.gemm({rows.count(), wide.count(), all.inner.count()},
                    work.inputs[0].floats(rows.first * inner + all.inner.first), inner,
                    work.packed + (wide.first - all.columns.first) * all.inner.count(),
                    work.outputs[0].floats(at), columns, all.inner.first > 0,
                    is_last ? &finish : nullptr);
}

Range ProductStep::input_bytes(std::size_t input, Range rows) const {
  if (!is_dense) return {0, input_sizes[input]};
  if (input == 0) {
    return bytes_of(left, rows, (row_count - 1) * left_stride + inner, input_sizes[0]);
  }
  const std::uint64_t extent = right_by_columns ? (columns - 1) * right_stride + inner
                                                : (inner - 1) * right_stride + columns;
  return bytes_of(right, rows, extent, input_sizes[1]);
}

Range ProductStep::output_bytes(std::size_t, Range rows) const {
  if (!is_dense) return {0, output_sizes[0]};
  const std::uint64_t size = row_count * columns * sizeof(float);
  return {rows.first * size, rows.last * size};
}

std::uint64_t ProductStep::scratch_each() const {
  const std::uint64_t wide = (columns + kernels->panel - 1) / kernels->panel * kernels->panel;
  return (wide * inner * sizeof(float) + 63) / 64 * 64;
}

std::uint64_t ProductStep::scratch(unsigned threads) const {
  return scratch_each() * threads;
}

Status ProductStep::run(const Work& work) const {
  const Range all = is_dense ? work.rows : Range{0, left.size()};
  const std::size_t parts = std::min<std::size_t>(
      useful_parts(work, all.count() * row_count * columns * inner), all.count());
  run_parts(work.workers, parts, [&](std::size_t part) {
    const Range mine = part_of(all, 1, parts, part);
    for (std::uint64_t i = mine.first; i < mine.last; ++i) {
      run_one(work, i, work.scratch + part * scratch_each());
    }
  });
  return done();
}

void ProductStep::run_one(const Work& work, std::uint64_t index, std::uint8_t* scratch) const {
  auto* packed = reinterpret_cast<float*>(scratch);
  const kernels::WeightFormat format;
  const float* b = work.inputs[1].floats(right[index]);
  if (right_by_columns) {
    kernels->pack_columns(b, format, right_stride, columns, inner, 1, packed);
  } else {
    kernels->pack_rows(b, format, right_stride, columns, inner, packed);
  }
  const kernels::Epilogue finish{bias.empty() ? nullptr : bias.data(), nullptr,
                                 kernels::Activation::kNone, 0, 0};
  kernels->gemm({row_count, columns, inner}, work.inputs[0].floats(left[index]), left_stride,
                packed, work.outputs[0].floats(out[index]), out_stride, false, &finish);
}

}  // namespace sealpack::nn::program
