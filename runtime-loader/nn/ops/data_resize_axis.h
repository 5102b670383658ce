// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/data_copy.h"

// How Resize and Upsample look along one axis, following the reference implementation of ONNX
// (onnx/backend/test/case/node/resize.py), whose length of the resized axis is not rounded.
namespace sealpack::nn {

enum class Interpolation { kNearest, kLinear, kCubic };
enum class Coordinates {
  kHalfPixel,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixel,
  kTfCrop,
};
enum class Nearest { kPreferFloor, kPreferCeil, kFloor, kCeil };

struct ResizeMode {
  Interpolation interpolation = Interpolation::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kPreferFloor;
  double cubic_a = -0.75;
  bool exclude_outside = false;
  float extrapolation = 0;
};

struct ResizeAxis {
  std::int64_t in = 1;  // indexes
  std::int64_t out = 1;
  double scale = 1;      // out / in before rounding
  double roi_start = 0;  // of kTfCrop, in parts of the axis
  double roi_end = 1;
};

inline constexpr std::size_t kMaxTaps = 4;
// What output index `at` is made of: a weighted sum of inputs, whose indexes are all in the axis.
struct Taps {
  std::array<std::int64_t, kMaxTaps> index{};
  std::array<float, kMaxTaps> weight{};
  bool outside = false;  // of what kTfCrop defines: the extrapolation value
};
std::size_t tap_count(Interpolation interpolation);  // 1, 2, 4
Taps taps_at(const ResizeMode& mode, const ResizeAxis& axis, std::int64_t at);

}  // namespace sealpack::nn
