// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "runtime-loader/nn/program/steps/step.h"

// How one piece of a step is divided among threads.
namespace sealpack::nn::program {

// Cuts `all` into at most `parts` ranges of about the same size at multiples of `granule` from the
// start; part `index` of them, maybe empty.
inline Range part_of(Range all, std::uint64_t granule, std::size_t parts, std::size_t index) {
  const std::uint64_t granules = (all.count() + granule - 1) / granule;
  const std::uint64_t first = granules * index / parts;
  const std::uint64_t last = granules * (index + 1) / parts;
  return {std::min(all.last, all.first + first * granule),
          std::min(all.last, all.first + last * granule)};
}

// Calls task(part) for each part; without a detour when there is one.
template <typename Task>
void run_parts(Workers& workers, std::size_t parts, const Task& task) {
  if (parts <= 1) {
    task(0);
    return;
  }
  workers.run(parts, [&task](std::size_t part) { task(part); });
}

// Below this many multiply-adds another thread costs more than it helps.
inline constexpr std::uint64_t kWorthAThread = 50'000;

// At most as many as there is scratch memory for.
inline std::size_t useful_parts(const Work& work, std::uint64_t multiply_adds) {
  const std::uint64_t worth = 1 + multiply_adds / kWorthAThread;
  const std::uint64_t threads = std::min(work.threads, work.workers.count());
  return static_cast<std::size_t>(std::min(threads, worth));
}

}  // namespace sealpack::nn::program
