// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/bundle/release.h"
#include "runtime-loader/nn/tensor.h"

// What leaves the secure side: only what the signed release allows, or less.
namespace sealpack::loader {

// What the one who launches wants to leave at most. Absent fields narrow nothing.
struct Narrowing {
  std::optional<bundle::AnswerForm> form;
  std::uint32_t decimals = 0;        // of kRounded
  std::uint64_t query_budget = 0;    // 0: as the release says
  std::vector<std::string> outputs;  // ascending; empty: all that are declared
  bool operator==(const Narrowing&) const = default;
};

// The rule in force. kRefused when `narrowing` asks for more than `rule` gives: top-1 is stricter
// than rounded, rounded than scores, fewer decimals and a smaller budget than more.
Result<bundle::AnswerRule> narrow(const bundle::AnswerRule& rule, const Narrowing& narrowing);

// The outputs that may leave: `declared` or those of them that `narrowing` names. kRefused for a
// name that is not declared.
Result<std::vector<std::string>> narrow_outputs(const std::vector<std::string>& declared,
                                                const Narrowing& narrowing);

// Type of the answer that `rule` makes of an output: itself (rounded halves become float32), or for
// top-1 an int64 tensor without
// the last dimension. kUnsupported for an output without order (bool) under top-1.
Result<nn::TensorType> answer_type(const bundle::AnswerRule& rule, const nn::TensorType& output);

// How many answers one output counts for. `single` is its type where every dimension that the host
// may choose is 1: there, its rows (all dimensions but the last multiplied) count, and an output
// that is n times as large counts n times, wherever it grew. So a batch, or a trick with shapes,
// buys no more answers than single runs. Without `single` every element counts.
std::uint64_t answer_count(const nn::TensorType& output, const nn::TensorType* single);

// Writes the answer for `output` to `out`, which has answer_type(). Rounded: to the nearest
// multiple of 10^-decimals, halves to even, no negative zero; where the largest of an answer (an
// index of the first dimension) is 100 or more, to decimals + 2 digits of that one, so that inputs
// scaled up bring no further digits out. Top-1: index of the first largest of each row. kRefused
// for a value that is not finite under both: it would carry more than the answer.
Status shape_answer(const bundle::AnswerRule& rule, const nn::ConstTensor& output,
                    MutableBytes out);

}  // namespace sealpack::loader
