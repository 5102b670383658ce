// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/pointwise.h"

#include <cmath>

#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {
namespace {

using Kind = PointOp::Kind;

void apply_unary(const kernels::Kernels& k, const PointOp& op, const float* in, float* out,
                 std::uint64_t count) {
  switch (op.kind) {
    case Kind::kActivate:
      k.activate(op.activation, op.low, op.high, in, out, count);
      return;
    case Kind::kErf:
      k.erf(in, out, count);
      return;
    case Kind::kExp:
      k.exp(in, out, count);
      return;
    case Kind::kSquare:
      k.multiply(in, in, out, count);
      return;
    case Kind::kCube:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = in[i] * in[i] * in[i];
      return;
    case Kind::kSqrt:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = std::sqrt(in[i]);
      return;
    default:
      for (std::uint64_t i = 0; i < count; ++i) out[i] = -in[i];
  }
}

void apply_binary(const kernels::Kernels& k, Kind kind, const float* in, const float* side,
                  float* out, std::uint64_t count) {
  switch (kind) {
    case Kind::kAdd:
      return k.add(in, side, out, count);
    case Kind::kSubtract:
      return k.subtract(in, side, out, count);
    case Kind::kSubtractFrom:
      return k.subtract(side, in, out, count);
    case Kind::kMultiply:
      return k.multiply(in, side, out, count);
    case Kind::kDivide:
      return k.divide(in, side, out, count);
    default:
      return k.divide(side, in, out, count);
  }
}

}  // namespace

std::uint64_t PointwiseStep::chunk_rows(std::uint64_t width) {
  return std::max<std::uint64_t>(1, kGoodChunk / std::max<std::uint64_t>(1, width));
}

Range PointwiseStep::input_bytes(std::size_t input, Range rows) const {
  if (input_sizes[input] != input_sizes[0]) return {0, input_sizes[input]};
  return output_bytes(0, rows);
}

Range PointwiseStep::output_bytes(std::size_t, Range rows) const {
  return {rows.first * width * sizeof(float), rows.last * width * sizeof(float)};
}

std::uint64_t PointwiseStep::constants() const {
  std::uint64_t size = 0;
  for (const Operation& operation : operations) size += operation.side.size() * sizeof(float);
  return size;
}

Status PointwiseStep::run(const Work& work) const {
  const std::uint64_t size = work.rows.count() * width * operations.size() * 4;
  const std::size_t parts = useful_parts(work, size);
  run_parts(work.workers, parts,
            [&](std::size_t part) { run_rows(work, part_of(work.rows, 1, parts, part)); });
  return done();
}

void PointwiseStep::run_rows(const Work& work, Range rows) const {
  const std::uint64_t step = has_row ? 1 : chunk_rows(width);
  for (std::uint64_t first = rows.first; first < rows.last; first += step) {
    run_chunk(work, first, std::min(step, rows.last - first));
  }
}

void PointwiseStep::run_chunk(const Work& work, std::uint64_t first, std::uint64_t rows) const {
  const std::uint64_t count = rows * width;
  const float* in = work.inputs[0].floats(first * width);
  float* out = work.outputs[0].floats(first * width);
  for (const Operation& operation : operations) {
    const float* side = operation.side.data();
    if (operation.input >= 0) {
      const View& view = work.inputs[static_cast<std::size_t>(operation.input)];
      side = view.floats(operation.is_row ? 0 : first * width);
    }
    if (operation.op.side == PointOp::Side::kNone) {
      apply_unary(work.kernels, operation.op, in, out, count);
    } else {
      apply_binary(work.kernels, operation.op.kind, in, side, out, count);
    }
    in = out;
  }
}

}  // namespace sealpack::nn::program
