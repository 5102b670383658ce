// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/ops/data_resize_axis.h"

#include <algorithm>
#include <cmath>

namespace sealpack::nn {
namespace {

// Where output index `at` lies among the input's indexes.
double coordinate(Coordinates coordinates, const ResizeAxis& axis, std::int64_t at) {
  const auto x = static_cast<double>(at);
  const auto in = static_cast<double>(axis.in);
  const double out = axis.scale * in;
  switch (coordinates) {
    case Coordinates::kAlignCorners:
      return out == 1 ? 0 : x * (in - 1) / (out - 1);
    case Coordinates::kAsymmetric:
      return x / axis.scale;
    case Coordinates::kTfHalfPixel:
      return (x + 0.5) / axis.scale;
    case Coordinates::kTfCrop: {
      const double span = (axis.roi_end - axis.roi_start) * (in - 1);
      return axis.roi_start * (in - 1) + (out == 1 ? span / 2 : x * span / (out - 1));
    }
    case Coordinates::kPytorchHalfPixel:
      return axis.out == 1 ? 0 : (x + 0.5) / axis.scale - 0.5;
    default:
      return (x + 0.5) / axis.scale - 0.5;
  }
}

double round_nearest(Nearest nearest, double x) {
  switch (nearest) {
    case Nearest::kFloor:
      return std::floor(x);
    case Nearest::kCeil:
      return std::ceil(x);
    case Nearest::kPreferCeil:
      return std::floor(x + 0.5);
    default:
      return std::ceil(x - 0.5);
  }
}

// Weights of the four inputs around a point `r` after the second (Keys, 1981).
std::array<double, kMaxTaps> cubic_weights(double a, double r) {
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  return {far(r + 1), near(r), near(1 - r), far(2 - r)};
}

}  // namespace

std::size_t tap_count(Interpolation interpolation) {
  return interpolation == Interpolation::kNearest  ? 1
         : interpolation == Interpolation::kLinear ? 2
                                                   : 4;
}

Taps taps_at(const ResizeMode& mode, const ResizeAxis& axis, std::int64_t at) {
  Taps taps;
  const auto last = static_cast<double>(axis.in - 1);
  const double exact = coordinate(mode.coordinates, axis, at);
  taps.outside = mode.coordinates == Coordinates::kTfCrop && !(exact >= 0 && exact <= last);
  // Far outside, where untrusted numbers may lead, all are the edge.
  const double x = std::isnan(exact) ? 0 : std::clamp(exact, -4.0, last + 4);
  const std::size_t count = tap_count(mode.interpolation);
  double first = std::floor(x);
  std::array<double, kMaxTaps> weights = {1 - (x - first), x - first, 0, 0};
  if (mode.interpolation == Interpolation::kNearest) {
    first = round_nearest(mode.nearest, x);
    weights = {1, 0, 0, 0};
  } else if (mode.interpolation == Interpolation::kCubic) {
    weights = cubic_weights(mode.cubic_a, x - first);
    first -= 1;
  }
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double index = first + static_cast<double>(i);
    if (mode.exclude_outside && count > 1 && (index < 0 || index > last)) weights[i] = 0;
    taps.index[i] = static_cast<std::int64_t>(std::clamp(index, 0.0, last));
    sum += weights[i];
  }
  const double divisor = mode.exclude_outside && sum != 0 ? sum : 1;
  for (std::size_t i = 0; i < count; ++i) taps.weight[i] = static_cast<float>(weights[i] / divisor);
  return taps;
}

}  // namespace sealpack::nn
