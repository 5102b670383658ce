// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/conv.h"

#include "runtime-loader/nn/program/steps/parts.h"

namespace sealpack::nn::program {
namespace {

// Input rows of one image under output rows [first, last).
Range rows_of_image(const kernels::ConvShape& shape, Range rows) {
  const std::uint64_t reach = (shape.kernel_height - 1) * shape.dilation_y;
  const std::uint64_t from = rows.first * shape.stride_y;
  const std::uint64_t to = (rows.last - 1) * shape.stride_y + reach + 1;
  const std::uint64_t first = from > shape.pad_top ? from - shape.pad_top : 0;
  const std::uint64_t last = to > shape.pad_top ? to - shape.pad_top : 0;
  return {std::min<std::uint64_t>(first, shape.in_height),
          std::min<std::uint64_t>(last, shape.in_height)};
}

}  // namespace

Range window_rows(const kernels::ConvShape& shape, Range rows) {
  if (rows.count() == 0) return {0, 0};
  const std::uint64_t first_image = rows.first / shape.out_height;
  const std::uint64_t last_image = (rows.last - 1) / shape.out_height;
  const std::uint64_t from = rows.first - first_image * shape.out_height;
  const std::uint64_t to = rows.last - last_image * shape.out_height;
  return {first_image * shape.in_height + rows_of_image(shape, {from, from + 1}).first,
          last_image * shape.in_height + rows_of_image(shape, {0, to}).last};
}

// Winograd works on tiles of four rows of one image.
std::uint64_t ConvStep::row_granule() const {
  if (algorithm != Algorithm::kWinograd) return 1;
  return images == 1 ? 4 : shape.out_height;
}

Range ConvStep::input_bytes(std::size_t input, Range rows) const {
  if (input == 1) return output_bytes(0, rows);
  const std::uint64_t row_size = shape.in_width * shape.in_stride * sizeof(float);
  const Range needed = window_rows(shape, rows);
  return {needed.first * row_size, needed.last * row_size};
}

Range ConvStep::output_bytes(std::size_t, Range rows) const {
  const std::uint64_t row_size = shape.out_width * shape.out_stride * sizeof(float);
  return {rows.first * row_size, rows.last * row_size};
}

std::uint64_t ConvStep::scratch_each() const {
  std::uint64_t size = 0;
  if (algorithm == Algorithm::kDirect) size = kernels->conv_scratch(shape);
  if (algorithm == Algorithm::kWinograd) size = kernels->winograd_scratch(shape);
  return (size + 63) / 64 * 64;
}

std::uint64_t ConvStep::scratch(unsigned threads) const {
  return scratch_each() * threads;
}

std::uint64_t ConvStep::unit_multiply_adds() const {
  return multiply_adds / std::max<std::uint64_t>(1, rows() * weights->unit_count());
}

Status ConvStep::run(const Work& work) const {
  const std::uint64_t size = unit_multiply_adds() * work.rows.count() * work.units.count();
  const std::size_t parts = useful_parts(work, size);
  const bool by_rows = work.rows.count() >= 4 * parts * row_granule() ||
                       work.units.count() < parts || algorithm == Algorithm::kDepthwise;
  run_parts(work.workers, parts, [&](std::size_t part) {
    const Range rows = by_rows ? part_of(work.rows, row_granule(), parts, part) : work.rows;
    const Range units = by_rows ? work.units : part_of(work.units, 1, parts, part);
    if (rows.count() == 0 || units.count() == 0) return;
    run_rows(work, rows, units, work.scratch + part * scratch_each());
  });
  return done();
}

void ConvStep::run_rows(const Work& work, Range rows, Range units, std::uint8_t* scratch) const {
  while (rows.count() > 0) {
    const std::uint64_t image = rows.first / shape.out_height;
    const std::uint64_t start = image * shape.out_height;
    const std::uint64_t last = std::min<std::uint64_t>(rows.last, start + shape.out_height);
    run_image(work, image, {rows.first - start, last - start}, units, scratch);
    rows.first = last;
  }
}

void ConvStep::run_image(const Work& work, std::uint64_t image, Range rows, Range units,
                         std::uint8_t* scratch) const {
  const Range needed = rows_of_image(shape, rows);
  const kernels::RowRange range{rows.first, rows.last, needed.first};
  if (weights->form == PackedWeights::Form::kGroups) {
    run_groups(work, range, image, units, scratch);
  } else {
    run_columns(work, range, image, units, scratch);
  }
}

void ConvStep::run_columns(const Work& work, const kernels::RowRange& rows, std::uint64_t image,
                           Range units, std::uint8_t* scratch) const {
  const std::uint64_t in_row = image * shape.in_height + rows.in_first_row;
  const float* in = work.inputs[0].floats(in_row * shape.in_width * shape.in_stride);
  const bool whole = algorithm == Algorithm::kDepthwise;
  const std::uint64_t column = whole ? 0 : units.first * kernels->panel;
  const std::uint64_t columns =
      std::min<std::uint64_t>(units.last * kernels->panel, shape.out_channels) - column;
  const std::uint64_t out_row = image * shape.out_height + rows.first;
  const std::uint64_t at = out_row * shape.out_width * shape.out_stride + column;
  float* out = work.outputs[0].floats(at);
  const kernels::Epilogue finish{bias.empty() ? nullptr : bias.data() + column,
                                 inputs.size() > 1 ? work.inputs[1].floats(at) : nullptr,
                                 activation, low, high};
  const float* packed =
      work.packed + weights->packed_size({work.units.first, units.first}) / sizeof(float);
  switch (algorithm) {
    case Algorithm::kDirect:
      kernels->conv(shape, rows, in, packed, columns, out, finish, scratch);
      return;
    case Algorithm::kWinograd:
      kernels->winograd(shape, rows, in, packed, columns, out, finish, scratch);
      return;
    case Algorithm::kPointwise:
      kernels->gemm({(rows.last - rows.first) * shape.out_width, columns, shape.in_channels}, in,
                    shape.in_stride, packed, out, shape.out_stride, false, &finish);
      return;
    case Algorithm::kDepthwise:
      kernels->depthwise(shape, groups, rows, in, work.packed, out, finish);
      return;
  }
}

void ConvStep::run_groups(const Work& work, const kernels::RowRange& rows, std::uint64_t image,
                          Range units, std::uint8_t* scratch) const {
  const std::uint64_t in_row = image * shape.in_height + rows.in_first_row;
  const std::uint64_t out_row = image * shape.out_height + rows.first;
  for (std::uint64_t group = units.first; group < units.last; ++group) {
    const std::uint64_t column = group * shape.out_channels;
    const float* in = work.inputs[0].floats(in_row * shape.in_width * shape.in_stride +
                                            group * shape.in_channels);
    const std::uint64_t at = out_row * shape.out_width * shape.out_stride + column;
    const kernels::Epilogue finish{bias.empty() ? nullptr : bias.data() + column,
                                   inputs.size() > 1 ? work.inputs[1].floats(at) : nullptr,
                                   activation, low, high};
    const float* packed =
        work.packed + weights->packed_size({work.units.first, group}) / sizeof(float);
    kernels->conv(shape, rows, in, packed, shape.out_channels, work.outputs[0].floats(at), finish,
                  scratch);
  }
}

}  // namespace sealpack::nn::program
