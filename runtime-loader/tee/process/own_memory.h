// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

// What the process backend keeps of a cap for itself, however little of it is in use: program,
// keys, stacks of the threads that compute, bookkeeping of the model, buffers of the bundle's
// readers. Fixed, so that the least cap of a model is one number, for the planner and for every
// run.
namespace sealpack::tee {

// Readers take larger buffers for models that may have as much (runtime-loader/core/loaded_model).
inline constexpr std::uint64_t kLargeModel = std::uint64_t{4} << 20U;

// Beside a model that may have `model` bytes. Measured: 2.2 MiB before a model is loaded, 2.5 MiB
// with one of some seventy nodes, 3.2 MiB with larger buffers.
constexpr std::uint64_t own_memory(unsigned threads, std::uint64_t model) {
  constexpr std::uint64_t kOfOneThread = (std::uint64_t{11} << 20U) / 4;
  constexpr std::uint64_t kOfEachMore = std::uint64_t{128} << 10U;
  constexpr std::uint64_t kOfLargeModels = std::uint64_t{1} << 20U;
  return kOfOneThread + (threads > 1 ? threads - 1 : 0) * kOfEachMore +
         (model < kLargeModel ? 0 : kOfLargeModels);
}

// The most that a model may have under `cap`: what with its own_memory() is no more than that.
constexpr std::uint64_t room_under(std::uint64_t cap, unsigned threads) {
  const std::uint64_t small = cap - std::min(cap, own_memory(threads, 0));
  if (small < kLargeModel) return small;
  const std::uint64_t large = cap - std::min(cap, own_memory(threads, kLargeModel));
  return std::max(large, kLargeModel - 1);
}

}  // namespace sealpack::tee
