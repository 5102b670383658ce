// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/rows.h"

#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {

Range RowStep::input_bytes(std::size_t, Range rows) const {
  return {rows.first * width * sizeof(float), rows.last * width * sizeof(float)};
}

Range RowStep::output_bytes(std::size_t, Range rows) const {
  return {rows.first * width * sizeof(float), rows.last * width * sizeof(float)};
}

Status RowStep::run(const Work& work) const {
  const std::size_t parts = useful_parts(work, work.rows.count() * width * 8);
  run_parts(work.workers, parts, [&](std::size_t part) {
    const Range mine = part_of(work.rows, 1, parts, part);
    run_rows(work.kernels, work.inputs[0].floats(mine.first * width), mine.count(),
             work.outputs[0].floats(mine.first * width));
  });
  return done();
}

void SoftmaxStep::run_rows(const kernels::Kernels& kernels, const float* in, std::uint64_t rows,
                           float* out) const {
  kernels.softmax(in, rows, width, out);
}

void LayerNormStep::run_rows(const kernels::Kernels& kernels, const float* in, std::uint64_t rows,
                             float* out) const {
  kernels.layer_norm(in, rows, width, scale.data(), bias.data(), epsilon, out);
}

}  // namespace sealpack::nn::program
