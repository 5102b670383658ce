// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime-loader/nn/kernels/buffers.h"

#include <bit>
#include <cmath>

namespace sealpack::nn::kernels::testing {
namespace {

constexpr std::uint32_t kPattern = 0x7FA5A5A5;  // a signalling NaN that no arithmetic makes

}  // namespace

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> found;
  for (const Isa isa : {Isa::kPortable, Isa::kNeon, Isa::kAvx2, Isa::kAvx512}) {
    if (const Kernels* kernels = kernels_for(isa)) found.push_back(kernels);
  }
  return found;
}

std::vector<const Kernels*> fused_kernels() {
  std::vector<const Kernels*> found = all_kernels();
#ifndef __FP_FAST_FMAF
  std::erase(found, &portable_kernels());
#endif
  return found;
}

std::vector<float> Random::values(std::size_t count, float size) {
  std::vector<float> all(count);
  for (float& one : all) one = value(size);
  return all;
}

Guarded::Guarded(std::size_t count) : all_(count + 2 * kGuard, std::bit_cast<float>(kPattern)) {}

bool Guarded::is_intact() const {
  for (std::size_t i = 0; i < kGuard; ++i) {
    if (!is_untouched(all_[i]) || !is_untouched(all_[all_.size() - 1 - i])) return false;
  }
  return true;
}

bool Guarded::is_untouched(float value) {
  return bits_of(value) == kPattern;
}

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

std::ptrdiff_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size() || i < b.size(); ++i) {
    if (i >= a.size() || i >= b.size()) return static_cast<std::ptrdiff_t>(i);
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (bits_of(a[i]) != bits_of(b[i])) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

}  // namespace sealpack::nn::kernels::testing
