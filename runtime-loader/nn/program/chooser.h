// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/program/plan.h"

namespace sealpack::nn::program {

// Decides how to live within a limit, in order of preference: everything stays in memory; weights
// that do not fit pass through it in tiles; activations that do not fit are spilled and worked on
// in strips.
class Chooser {
 public:
  Chooser(const Lowered& lowered, const CompileOptions& options);

  // Everything in memory at once.
  Choice unlimited() const;
  // As little memory as can be.
  Choice minimal() const;
  // For at most about `limit` bytes; nothing where this way of choosing finds none.
  std::optional<Choice> within(std::uint64_t limit, unsigned threads) const;

 private:
  const Step& step(std::size_t i) const { return *lowered_.steps[i]; }
  TensorId root(TensorId id) const { return lowered_.tensors[id].root; }
  bool may_spill(TensorId id) const;
  bool touches_spilled(const Choice& choice, std::size_t i) const;
  std::uint64_t least_strip(std::size_t i) const;
  std::uint64_t windows(const Choice& choice, std::size_t i, std::uint64_t strip_rows) const;
  std::uint64_t live(const Choice& choice, std::size_t i) const;
  std::uint64_t streams(const Choice& choice, std::size_t i, std::uint64_t tile_units,
                        std::uint64_t tiles = 2) const;
  std::uint64_t needs(const Choice& choice, std::size_t i) const;
  Range streamed(const Choice& choice, std::size_t i) const;
  bool spill_enough(Choice& choice, std::uint64_t limit) const;
  bool spill_for(Choice& choice, std::size_t i, std::uint64_t limit) const;
  std::uint64_t wants(const Choice& choice, std::size_t i) const;
  std::uint64_t units_to_keep(Choice& choice, std::size_t i, std::uint64_t limit,
                              std::uint64_t others) const;
  std::uint64_t keep_weights(Choice& choice, std::uint64_t limit) const;
  void widen(Choice& choice, std::size_t i, std::uint64_t available) const;

  const Lowered& lowered_;
  const CompileOptions& options_;
  std::vector<std::vector<TensorId>> live_;  // roots in memory, by step
  std::vector<std::uint32_t> readers_;       // steps that touch a root
};

}  // namespace sealpack::nn::program
