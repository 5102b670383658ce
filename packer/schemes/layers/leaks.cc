// SPDX-License-Identifier: Apache-2.0
#include "packer/schemes/layers/layers_division.h"

namespace sealpack::packer::layers {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i == 0 ? "" : ", ") + printable(names[i]);
  }
  return names.size() > kShown ? text + ", …" : text;
}

}  // namespace

Leaks leaks_of(const plan::Dataflow& flow, const plan::Cut& cut,
               const std::vector<sealpack::layers::Crossing>& taps) {
  const plan::Oracle oracle = plan::find_oracle(flow, cut);
  Leaks leaks;
  for (const std::uint32_t value : oracle.returned) {
    leaks.returned.push_back(flow.values[value].name);
  }
  for (const std::uint32_t value : oracle.answers) {
    leaks.answers.push_back(flow.values[value].name);
  }
  for (const auto& tap : taps) {
    std::uint64_t elements = 1;
    for (const auto& dim : tap.shape) {
      if (dim.size != 0) elements *= dim.size;
    }
    leaks.inputs += elements;
  }
  return leaks;
}

Status check_leaks(const Leaks& leaks, const bundle::AnswerRule& answer, bool accept_oracle) {
  if (!leaks.returned.empty() && answer.form != bundle::AnswerForm::kScores) {
    return Error(ErrorCode::kRefused, "the plan computes outside with " + list_of(leaks.returned) +
                                          ", but the answer rule lets no exact values out")
        .with_hint("choose a division in which only answers leave, or an answer rule of scores");
  }
  if (accept_oracle) return done();
  if (!leaks.returned.empty()) {
    return Error(ErrorCode::kRefused,
                 "what secure layers compute goes back outside: " + list_of(leaks.returned) +
                     ". Whoever runs the public part chooses the input and sees the output, so "
                     "that about d queries recover a linear layer of d inputs")
        .with_hint(
            "protect everything from the first secure layer to the answer (--protect last:N), or "
            "--accept-oracle");
  }
  // A query budget is no help: it counts the answers of one opening, and a bundle is opened often.
  if (leaks.answers.empty() || answer.form == bundle::AnswerForm::kTop1) return done();
  return Error(ErrorCode::kRefused,
               "the answer " + list_of(leaks.answers) +
                   " is one secure layer away from what the host chooses: " +
                   (leaks.inputs == 0 ? "d + 1" : std::to_string(leaks.inputs + 1)) +
                   " queries recover that layer")
      .with_hint(
          "protect more layers (--protect last:2), or let only top-1 answers out ([answer] in the "
          "policy), or --accept-oracle");
}

}  // namespace sealpack::packer::layers
