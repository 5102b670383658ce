// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/steps/packed_weights.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sealpack::nn::program {
namespace {

constexpr std::uint64_t kGoodStaging = 256 << 10;

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Multiplies packed panels, [panel][inner][column in panel], by one factor a column.
void scale_panels(float* packed, std::span<const float> scale, std::uint64_t inner,
                  std::uint64_t panel) {
  for (std::uint64_t first = 0; first < scale.size(); first += panel) {
    const std::uint64_t count = std::min<std::uint64_t>(panel, scale.size() - first);
    for (std::uint64_t k = 0; k < inner; ++k, packed += panel) {
      for (std::uint64_t c = 0; c < count; ++c) packed[c] *= scale[first + c];
    }
  }
}

}  // namespace

Status WeightBytes::read(WeightSource& source, std::uint64_t from, MutableBytes out) const {
  if (!folded) return source.read(file, offset + from, out);
  std::memcpy(out.data(), folded->data() + from, out.size());
  return done();
}

std::uint64_t PackedWeights::element_size() const {
  if (type == kernels::WeightType::kF32) return 4;
  return type == kernels::WeightType::kF16 ? 2 : 1;
}

std::uint64_t PackedWeights::stored_size() const {
  return form == Form::kDense ? dense_size : groups * columns * inner * element_size();
}

std::uint64_t PackedWeights::unit_count() const {
  switch (form) {
    case Form::kColumns:
    case Form::kWinograd:
      return (columns + kernels->panel - 1) / kernels->panel;
    case Form::kRows:
      return (inner + kRowsPerUnit - 1) / kRowsPerUnit;
    case Form::kGroups:
      return groups;
    case Form::kDepthwise:
      return 1;
    case Form::kDense:
      return dense_units;
  }
  return 1;
}

// Bytes of one unit as stored; the last may have less.
std::uint64_t PackedWeights::unit_stored() const {
  switch (form) {
    case Form::kColumns:
    case Form::kWinograd:
      return std::min<std::uint64_t>(kernels->panel, columns) * inner * element_size();
    case Form::kRows:
      return std::min(kRowsPerUnit, inner) * columns * element_size();
    case Form::kGroups:
      return columns * inner * element_size();
    case Form::kDepthwise:
    case Form::kDense:
      return stored_size() / std::max<std::uint64_t>(1, dense_units);
  }
  return 0;
}

std::uint64_t PackedWeights::stored_size(Range units) const {
  if (form == Form::kDepthwise) return stored_size();
  const std::uint64_t unit = form == Form::kDense ? inner : unit_stored();
  return std::min(units.last * unit, stored_size()) - std::min(units.first * unit, stored_size());
}

std::uint64_t PackedWeights::columns_in(Range units) const {
  return std::min(units.last * kernels->panel, columns) - units.first * kernels->panel;
}

// Floats.
std::uint64_t PackedWeights::unit_packed() const {
  switch (form) {
    case Form::kWinograd:
      return kernels->winograd_size(inner / 9, kernels->panel);
    case Form::kGroups:
      return round_up(columns, kernels->panel) * inner;
    default:
      return kernels->panel * inner;
  }
}

std::uint64_t PackedWeights::packed_size(Range units) const {
  if (form == Form::kDense) {
    return std::min(units.last * inner, dense_size) - units.first * inner;
  }
  if (form == Form::kDepthwise) return groups * inner * sizeof(float);
  if (form == Form::kRows) {
    const std::uint64_t rows =
        std::min(units.last * kRowsPerUnit, inner) - units.first * kRowsPerUnit;
    return round_up(columns, kernels->panel) * rows * sizeof(float);
  }
  return units.count() * unit_packed() * sizeof(float);
}

std::uint64_t PackedWeights::least_staging(Range units) const {
  if (form == Form::kDense || units.count() == 0) return 0;
  return round_up(unit_stored(), 64);
}

std::uint64_t PackedWeights::good_staging(Range units) const {
  if (form == Form::kDense || units.count() == 0) return 0;
  const std::uint64_t unit = unit_stored();
  const std::uint64_t batch =
      std::max<std::uint64_t>(1, kGoodStaging / std::max<std::uint64_t>(1, unit));
  return round_up(std::min(batch, units.count()) * unit, 64);
}

Status PackedWeights::fetch(WeightSource& source, Range units, MutableBytes staging,
                            float* packed) const {
  if (form == Form::kDense) return fetch_dense(source, units, packed);
  if (form == Form::kDepthwise) return fetch_depthwise(source, staging, packed);
  return fetch_units(source, units, staging, packed);
}

Status PackedWeights::fetch_dense(WeightSource& source, Range units, float* packed) const {
  MutableBytes out(reinterpret_cast<std::uint8_t*>(packed), packed_size(units));
  return bytes.read(source, units.first * inner, out);
}

// Reads as many units at a time as staging holds.
Status PackedWeights::fetch_units(WeightSource& source, Range units, MutableBytes staging,
                                  float* packed) const {
  const std::uint64_t unit = unit_stored();
  const std::uint64_t batch = std::max<std::uint64_t>(1, staging.size() / unit);
  for (std::uint64_t first = units.first; first < units.last; first += batch) {
    const Range part{first, std::min(units.last, first + batch)};
    const std::uint64_t from = part.first * unit;
    const std::uint64_t size = std::min(part.last * unit, stored_size()) - from;
    TRY(bytes.read(source, from, staging.first(size)));
    pack(part, staging.data(), units, packed);
  }
  return done();
}

// How columns from `column` on are stored.
kernels::WeightFormat PackedWeights::format_at(std::uint64_t column) const {
  kernels::WeightFormat format{type, nullptr, nullptr, dequantize_scale.size() > 1};
  if (dequantize_scale.empty()) return format;
  const std::uint64_t at = format.per_column ? column : 0;
  format.scale = dequantize_scale.data() + at;
  format.zero_point = dequantize_zero.data() + at;
  return format;
}

// Scales packed panels of columns [first, first + count).
void PackedWeights::scale_columns(std::uint64_t first, std::uint64_t count, std::uint64_t length,
                                  float* packed) const {
  if (column_scale.empty()) return;
  scale_panels(packed, std::span(column_scale).subspan(first, count), length, kernels->panel);
}

// Packs `part`, which lies in `stored`, to its place among `whole`.
void PackedWeights::pack(Range part, std::uint8_t* stored, Range whole, float* packed) const {
  switch (form) {
    case Form::kGroups:
      for (std::uint64_t group = part.first; group < part.last; ++group) {
        float* out = packed + (group - whole.first) * unit_packed();
        kernels->pack_columns(stored + (group - part.first) * unit_stored(),
                              format_at(group * columns), inner, columns, inner, taps, out);
        scale_columns(group * columns, columns, inner, out);
      }
      return;
    case Form::kRows:
      return pack_rows(part, stored, whole, packed);
    case Form::kWinograd:
      return pack_winograd(part, stored, packed + (part.first - whole.first) * unit_packed());
    default:
      break;
  }
  float* out = packed + (part.first - whole.first) * unit_packed();
  const std::uint64_t first = part.first * kernels->panel, count = columns_in(part);
  kernels->pack_columns(stored, format_at(first), inner, count, inner, taps, out);
  scale_columns(first, count, inner, out);
}

// A panel after the other: each has the rows of all parts.
void PackedWeights::pack_rows(Range part, const std::uint8_t* stored, Range whole,
                              float* packed) const {
  const std::uint64_t start = whole.first * kRowsPerUnit, first = part.first * kRowsPerUnit;
  const std::uint64_t rows = std::min(part.last * kRowsPerUnit, inner) - first;
  const std::uint64_t all = std::min(whole.last * kRowsPerUnit, inner) - start;
  float* out = packed + (first - start) * kernels->panel;
  for (std::uint64_t column = 0; column < columns; column += kernels->panel) {
    const std::uint64_t width = std::min<std::uint64_t>(kernels->panel, columns - column);
    kernels->pack_rows(stored + column * element_size(), format_at(column), columns, width, rows,
                       out);
    scale_columns(column, width, rows, out);
    out += all * kernels->panel;
  }
}

void PackedWeights::pack_winograd(Range part, std::uint8_t* stored, float* packed) const {
  const std::uint64_t first = part.first * kernels->panel, count = columns_in(part);
  auto* values = reinterpret_cast<float*>(stored);
  for (std::uint64_t c = 0; c < count && !column_scale.empty(); ++c) {
    // Of float32 alone: Lowering::weigh_conv.
    for (std::uint64_t k = 0; k < inner; ++k) values[c * inner + k] *= column_scale[first + c];
  }
  kernels->winograd_pack(stored, format_at(first), count, inner / 9, packed);
}

Status PackedWeights::fetch_depthwise(WeightSource& source, MutableBytes staging,
                                      float* packed) const {
  const MutableBytes stored = staging.first(stored_size());
  TRY(bytes.read(source, 0, stored));
  std::array<float, 64> some;
  for (std::uint64_t channel = 0; channel < groups; ++channel) {
    kernels::WeightFormat format = format_at(channel);
    format.per_column = false;  // this channel's alone
    const float factor = column_scale.empty() ? 1.0F : column_scale[channel];
    for (std::uint64_t tap = 0; tap < inner; tap += some.size()) {
      const std::uint64_t count = std::min<std::uint64_t>(some.size(), inner - tap);
      kernels->widen(stored.data() + (channel * inner + tap) * element_size(), format, count,
                     some.data());
      for (std::uint64_t i = 0; i < count; ++i) {
        packed[(tap + i) * groups + channel] = some[i] * factor;
      }
    }
  }
  return done();
}

}  // namespace sealpack::nn::program
