// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/pool.h"

#include "runtime-loader/nn/program/steps/conv.h"
#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {

Range PoolStep::input_bytes(std::size_t, Range rows) const {
  const std::uint64_t row_size = shape.in_width * shape.in_stride * sizeof(float);
  const Range needed = window_rows(shape, rows);
  return {needed.first * row_size, needed.last * row_size};
}

Range PoolStep::output_bytes(std::size_t, Range rows) const {
  const std::uint64_t row_size = shape.out_width * shape.out_stride * sizeof(float);
  return {rows.first * row_size, rows.last * row_size};
}

Status PoolStep::run(const Work& work) const {
  const std::uint64_t size = work.rows.count() * shape.out_width * shape.out_channels *
                             shape.kernel_height * shape.kernel_width;
  const std::size_t parts = useful_parts(work, size);
  run_parts(work.workers, parts,
            [&](std::size_t part) { run_rows(work, part_of(work.rows, 1, parts, part)); });
  return done();
}

void PoolStep::run_rows(const Work& work, Range rows) const {
  while (rows.count() > 0) {
    const std::uint64_t image = rows.first / shape.out_height;
    const std::uint64_t start = image * shape.out_height;
    const std::uint64_t last = std::min<std::uint64_t>(rows.last, start + shape.out_height);
    const std::uint64_t in_row = window_rows(shape, {rows.first, last}).first;
    const kernels::RowRange range{rows.first - start, last - start,
                                  in_row - image * shape.in_height};
    const float* in = work.inputs[0].floats(in_row * shape.in_width * shape.in_stride);
    float* out = work.outputs[0].floats(rows.first * shape.out_width * shape.out_stride);
    if (is_average) {
      work.kernels.average_pool(shape, range, in, out, counts_padding);
    } else {
      work.kernels.max_pool(shape, range, in, out);
    }
    rows.first = last;
  }
}

Range GlobalAverageStep::input_bytes(std::size_t, Range rows) const {
  const std::uint64_t image_size = pixels * channels * sizeof(float);
  return {rows.first * image_size, rows.last * image_size};
}

Range GlobalAverageStep::output_bytes(std::size_t, Range rows) const {
  return {rows.first * channels * sizeof(float), rows.last * channels * sizeof(float)};
}

Status GlobalAverageStep::run(const Work& work) const {
  for (std::uint64_t image = work.rows.first; image < work.rows.last; ++image) {
    float* out = work.outputs[0].floats(image * channels);
    std::fill(out, out + channels, 0.0F);
    work.kernels.sum_rows(work.inputs[0].floats(image * pixels * channels), pixels, channels, out);
    for (std::uint64_t c = 0; c < channels; ++c) out[c] /= static_cast<float>(pixels);
  }
  return done();
}

}  // namespace sealpack::nn::program
