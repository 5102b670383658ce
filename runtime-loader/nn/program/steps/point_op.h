// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/graph.h"
#include "runtime-loader/nn/kernels/kernels.h"

namespace sealpack::nn::program {

// One operation of a chain over elements: value = op(value, side).
struct PointOp {
  enum class Kind {
    kAdd,
    kSubtract,
    kSubtractFrom,
    kMultiply,
    kDivide,
    kDivideInto,  // with a side
    kActivate,
    kErf,
    kExp,
    kSqrt,
    kNegate,
    kSquare,
    kCube,
  };
  enum class Side { kNone, kFull, kChannel, kLast, kScalar };
  Kind kind = Kind::kAdd;
  Side side = Side::kNone;
  ValueId value = kNoValue;  // the side
  kernels::Activation activation = kernels::Activation::kNone;
  float low = 0, high = 0;
};

}  // namespace sealpack::nn::program
