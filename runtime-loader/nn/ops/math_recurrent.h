// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/ops/math_check.h"

// What RNN, GRU and LSTM have in common.
namespace sealpack::nn {

enum class Squash {
  kAffine,
  kElu,
  kHardSigmoid,
  kLeakyRelu,
  kRelu,
  kScaledTanh,
  kSigmoid,
  kSoftplus,
  kSoftsign,
  kTanh,
  kThresholdedRelu,
};

struct SquashFunction {
  Squash kind = Squash::kTanh;
  float alpha = 0;
  float beta = 0;
  float clip = 0;  // bound on the argument; 0: none

  template <typename C>
  C operator()(C x) const;
};

enum class Cell { kRnn, kGru, kLstm };

struct RecurrentForm {
  Cell cell = Cell::kRnn;
  std::size_t gates = 1;
  std::size_t directions = 1;
  bool reverse = false;  // the first direction runs backwards; the second always does
  bool batch_first = false;
  bool input_forget = false;
  bool linear_before_reset = false;
  std::size_t steps = 0;
  std::size_t batch = 0;
  std::size_t inputs = 0;
  std::size_t hidden = 0;
  std::vector<SquashFunction> functions;  // those of the first direction, then of the second

  std::size_t function_count() const { return functions.size() / directions; }
  // Y[step][direction][batch][hidden] or Y[batch][step][direction][hidden], as element numbers.
  std::size_t y_row(std::size_t step, std::size_t direction, std::size_t item) const {
    return batch_first ? ((item * steps + step) * directions + direction) * hidden
                       : ((step * directions + direction) * batch + item) * hidden;
  }
  // The same for states: [direction][batch][hidden] or [batch][direction][hidden].
  std::size_t state_row(std::size_t direction, std::size_t item) const {
    return (batch_first ? item * directions + direction : direction * batch + item) * hidden;
  }
  // Rows of X.
  std::size_t x_row(std::size_t step, std::size_t item) const {
    return batch_first ? item * steps + step : step * batch + item;
  }
};

// Checks attributes and the shapes of X, W and R; kMalformed, kUnsupported, kLimit.
Result<RecurrentForm> recurrent_form(const Node& node, const Shape& x, const Shape& w,
                                     const Shape& r);
Result<Shape> y_shape(const RecurrentForm& form);
Result<Shape> state_shape(const RecurrentForm& form);

template <typename C>
C SquashFunction::operator()(C x) const {
  const C a = static_cast<C>(alpha);
  const C b = static_cast<C>(beta);
  if (clip > 0) {
    const C bound = static_cast<C>(clip);
    x = x > bound ? bound : (x < -bound ? -bound : x);
  }
  switch (kind) {
    case Squash::kAffine:
      return a * x + b;
    case Squash::kElu:
      return x < C{0} ? a * std::expm1(x) : x;
    case Squash::kHardSigmoid:
      x = a * x + b;
      return x < C{0} ? C{0} : (x > C{1} ? C{1} : x);
    case Squash::kLeakyRelu:
      return x < C{0} ? a * x : x;
    case Squash::kRelu:
      return x < C{0} ? C{0} : x;
    case Squash::kScaledTanh:
      return a * std::tanh(b * x);
    case Squash::kSigmoid:
      return C{1} / (C{1} + std::exp(-x));
    case Squash::kSoftplus:
      return (x < C{0} ? C{0} : x) + std::log1p(std::exp(-std::fabs(x)));
    case Squash::kSoftsign:
      return x / (C{1} + std::fabs(x));
    case Squash::kTanh:
      return std::tanh(x);
    case Squash::kThresholdedRelu:
      return x < a ? C{0} : x;
  }
  die("an activation that is not there");
}

}  // namespace sealpack::nn
