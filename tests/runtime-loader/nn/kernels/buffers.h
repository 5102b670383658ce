// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "runtime-loader/nn/kernels/kernels.h"

// Numbers to compute with, and outputs that notice a write beside them.
namespace sealpack::nn::kernels::testing {

// All sets of instructions that this machine has.
std::vector<const Kernels*> all_kernels();
// Those that fuse a product and a sum, and must agree with each other bit for bit.
std::vector<const Kernels*> fused_kernels();

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::size_t between(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(engine_);
  }
  float value(float size = 1) {
    return std::uniform_real_distribution<float>(-size, size)(engine_);
  }
  std::vector<float> values(std::size_t count, float size = 1);
  bool coin() { return between(0, 1) != 0; }

 private:
  std::mt19937 engine_;
};

// `count` floats, 4 bytes off any larger alignment, with guards on both sides and a known pattern
// inside, so that what was never written shows as well.
class Guarded {
 public:
  explicit Guarded(std::size_t count);
  float* data() { return all_.data() + kGuard; }
  std::size_t size() const { return all_.size() - 2 * kGuard; }
  float operator[](std::size_t i) const { return all_[kGuard + i]; }
  std::vector<float> values() const {
    return {all_.begin() + kGuard, all_.end() - static_cast<std::ptrdiff_t>(kGuard)};
  }
  bool is_intact() const;
  static bool is_untouched(float value);

 private:
  static constexpr std::size_t kGuard = 65;
  std::vector<float> all_;
};

std::uint32_t bits_of(float value);
// The index of the first pair whose bits differ (NaN equals NaN), or -1.
std::ptrdiff_t first_difference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace sealpack::nn::kernels::testing
