// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/answer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace sealpack::loader {
namespace {

using bundle::AnswerForm;
using bundle::AnswerRule;
using nn::DType;

Error wider(const std::string& what) {
  return Error(ErrorCode::kRefused, "the signed release gives less than " + what)
      .with_hint("the launch configuration may only narrow what the release allows");
}

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16 ||
         dtype == DType::kBF16;
}

float from_half(std::uint16_t bits) {
  const int sign = (bits >> 15U) != 0 ? -1 : 1;
  const int exponent = (bits >> 10U) & 0x1f;
  const int fraction = bits & 0x3ff;
  if (exponent == 0x1f) {
    return fraction != 0 ? std::nanf("") : static_cast<float>(sign) * HUGE_VALF;
  }
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -24)
                              : std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
  return static_cast<float>(sign) * magnitude;
}

template <typename T>
T element(const nn::ConstTensor& tensor, std::uint64_t index) {
  T value;
  std::memcpy(&value, tensor.data + index * sizeof value, sizeof value);
  return value;
}

float from_bfloat(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16U;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

double float_element(const nn::ConstTensor& tensor, std::uint64_t index) {
  switch (tensor.type.dtype) {
    case DType::kF32:
      return static_cast<double>(element<float>(tensor, index));
    case DType::kF64:
      return element<double>(tensor, index);
    case DType::kF16:
      return static_cast<double>(from_half(element<std::uint16_t>(tensor, index)));
    default:
      return static_cast<double>(from_bfloat(element<std::uint16_t>(tensor, index)));
  }
}

Error not_finite() {
  return {ErrorCode::kRefused, "the model computed a value that is not a finite number"};
}

// The largest exponent with 10^exponent <= value, which is 1 or more.
int decimal_exponent(double value) {
  int exponent = 0;
  while (std::pow(10.0, exponent + 1) <= value) ++exponent;
  return exponent;
}

// Answers are multiples of 10^exponent: decimals alone, up to where a number of kExtraDigits digits
// before its point ends.
int step_exponent(double largest, std::uint32_t decimals) {
  constexpr int kExtraDigits = 2;
  const int of_decimals = -static_cast<int>(decimals);
  if (largest < 1) return of_decimals;
  return of_decimals + std::max(0, decimal_exponent(largest) + 1 - kExtraDigits);
}

// To the nearest, halves to even whatever the rounding mode.
double round_to_even(double value) {
  double whole = std::floor(value);
  const double rest = value - whole;
  if (rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) != 0.0)) whole += 1.0;
  return whole + 0.0;  // + 0.0: no negative zero
}

// Never beyond `most`, the largest number that the answer's type has.
double round_to_step(double value, int exponent, double most) {
  const double scale = std::pow(10.0, std::abs(exponent));
  if (exponent <= 0) return round_to_even(value * scale) / scale;
  const double whole = round_to_even(value / scale);
  const double rounded = whole * scale;
  return std::abs(rounded) <= most ? rounded : (whole - std::copysign(1.0, whole)) * scale;
}

void put_rounded(DType dtype, std::uint64_t index, double rounded, MutableBytes out) {
  if (dtype == DType::kF64) {
    std::memcpy(out.data() + index * sizeof rounded, &rounded, sizeof rounded);
    return;
  }
  const auto narrow_value = static_cast<float>(rounded);
  std::memcpy(out.data() + index * sizeof narrow_value, &narrow_value, sizeof narrow_value);
}

Status round_floats(const AnswerRule& rule, const nn::ConstTensor& output, MutableBytes out) {
  const nn::Shape& shape = output.type.shape;
  const auto count = static_cast<std::uint64_t>(shape.element_count());
  if (count == 0) return done();
  const double most = output.type.dtype == DType::kF64
                          ? std::numeric_limits<double>::max()
                          : static_cast<double>(std::numeric_limits<float>::max());
  const std::uint64_t size = shape.rank() == 0 ? 1 : count / static_cast<std::uint64_t>(shape[0]);
  for (std::uint64_t start = 0; start < count; start += size) {
    double largest = 0;
    for (std::uint64_t i = start; i < start + size; ++i) {
      const double value = float_element(output, i);
      if (!std::isfinite(value)) return not_finite();
      largest = std::max(largest, std::abs(value));
    }
    const int exponent = step_exponent(largest, rule.decimals);
    for (std::uint64_t i = start; i < start + size; ++i) {
      put_rounded(output.type.dtype, i, round_to_step(float_element(output, i), exponent, most),
                  out);
    }
  }
  return done();
}

template <typename T>
std::uint64_t first_largest(const nn::ConstTensor& output, std::uint64_t start,
                            std::uint64_t count) {
  std::uint64_t best = 0;
  for (std::uint64_t i = 1; i < count; ++i) {
    if (element<T>(output, start + i) > element<T>(output, start + best)) best = i;
  }
  return best;
}

Result<std::uint64_t> top_of_floats(const nn::ConstTensor& output, std::uint64_t start,
                                    std::uint64_t count) {
  std::uint64_t best = 0;
  double largest = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double value = float_element(output, start + i);
    if (!std::isfinite(value)) return not_finite();
    if (i == 0 || value > largest) {
      best = i;
      largest = value;
    }
  }
  return best;
}

Result<std::uint64_t> top_of_row(const nn::ConstTensor& output, std::uint64_t start,
                                 std::uint64_t count) {
  switch (output.type.dtype) {
    case DType::kU8:
      return first_largest<std::uint8_t>(output, start, count);
    case DType::kI8:
      return first_largest<std::int8_t>(output, start, count);
    case DType::kU16:
      return first_largest<std::uint16_t>(output, start, count);
    case DType::kI16:
      return first_largest<std::int16_t>(output, start, count);
    case DType::kI32:
      return first_largest<std::int32_t>(output, start, count);
    case DType::kU32:
      return first_largest<std::uint32_t>(output, start, count);
    case DType::kI64:
      return first_largest<std::int64_t>(output, start, count);
    case DType::kU64:
      return first_largest<std::uint64_t>(output, start, count);
    case DType::kBool:
      break;
    default:
      return top_of_floats(output, start, count);
  }
  return Error(ErrorCode::kUnsupported, "a top-1 answer of booleans");
}

std::uint64_t row_size(const nn::Shape& shape) {
  return shape.rank() == 0 ? 1 : static_cast<std::uint64_t>(shape[shape.rank() - 1]);
}

std::uint64_t row_count(const nn::Shape& shape) {
  std::uint64_t rows = 1;
  for (std::size_t i = 0; i + 1 < shape.rank(); ++i) rows *= static_cast<std::uint64_t>(shape[i]);
  return rows;
}

Status top_indexes(const nn::ConstTensor& output, MutableBytes out) {
  const std::uint64_t size = row_size(output.type.shape);
  for (std::uint64_t row = 0; row < row_count(output.type.shape); ++row) {
    const auto index = static_cast<std::int64_t>(TRY(top_of_row(output, row * size, size)));
    std::memcpy(out.data() + row * sizeof index, &index, sizeof index);
  }
  return done();
}

}  // namespace

Result<AnswerRule> narrow(const AnswerRule& rule, const Narrowing& narrowing) {
  AnswerRule narrowed = rule;
  if (narrowing.form) {
    // The forms are numbered from the most to the least that they give.
    if (*narrowing.form < rule.form) return wider("the form of answers that was asked for");
    if (rule.form == AnswerForm::kRounded && *narrowing.form == rule.form &&
        narrowing.decimals > rule.decimals) {
      return wider(std::to_string(narrowing.decimals) + " decimals");
    }
    narrowed.form = *narrowing.form;
    narrowed.decimals = *narrowing.form == AnswerForm::kRounded ? narrowing.decimals : 0;
  }
  if (narrowing.query_budget != 0) {
    if (rule.query_budget != 0 && narrowing.query_budget > rule.query_budget) {
      return wider(std::to_string(narrowing.query_budget) + " answers");
    }
    narrowed.query_budget = narrowing.query_budget;
  }
  return narrowed;
}

Result<std::vector<std::string>> narrow_outputs(const std::vector<std::string>& declared,
                                                const Narrowing& narrowing) {
  if (narrowing.outputs.empty()) return declared;
  for (const std::string& wanted : narrowing.outputs) {
    if (std::find(declared.begin(), declared.end(), wanted) == declared.end()) {
      return Error(ErrorCode::kRefused, "output " + printable(wanted) + " may not leave");
    }
  }
  return narrowing.outputs;
}

Result<nn::TensorType> answer_type(const AnswerRule& rule, const nn::TensorType& output) {
  if (rule.form == AnswerForm::kScores) return output;
  if (rule.form == AnswerForm::kRounded) {
    // Halves have too few digits for the decimals that a rule may ask for.
    const bool half = output.dtype == DType::kF16 || output.dtype == DType::kBF16;
    return nn::TensorType{half ? DType::kF32 : output.dtype, output.shape};
  }
  if (output.dtype == DType::kBool) {
    return Error(ErrorCode::kUnsupported, "a top-1 answer of booleans");
  }
  if (output.shape.element_count() != 0 || row_size(output.shape) != 0) {
    const auto dims = output.shape.dims();
    return nn::TensorType{DType::kI64,
                          TRY(nn::Shape::make(dims.first(dims.empty() ? 0 : dims.size() - 1)))};
  }
  return Error(ErrorCode::kUnsupported, "a top-1 answer of rows without elements");
}

std::uint64_t answer_count(const nn::TensorType& output, const nn::TensorType* single) {
  const auto elements = static_cast<std::uint64_t>(output.shape.element_count());
  const std::uint64_t least =
      single == nullptr ? 0 : static_cast<std::uint64_t>(single->shape.element_count());
  if (least == 0) return elements;
  const std::uint64_t times = elements / least + (elements % least == 0 ? 0 : 1);
  return std::max(row_count(output.shape), row_count(single->shape) * times);
}

Status shape_answer(const AnswerRule& rule, const nn::ConstTensor& output, MutableBytes out) {
  const nn::TensorType type = TRY(answer_type(rule, output.type));
  if (out.size() != type.size()) {
    return Error(ErrorCode::kInternal, "an answer of " + std::to_string(type.size()) +
                                           " bytes does not fit " + std::to_string(out.size()));
  }
  if (rule.form == AnswerForm::kTop1) return top_indexes(output, out);
  if (rule.form == AnswerForm::kRounded && is_float(output.type.dtype)) {
    return round_floats(rule, output, out);
  }
  if (!out.empty()) std::memcpy(out.data(), output.data, out.size());
  return done();
}

}  // namespace sealpack::loader
