// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <memory>
#include <vector>

namespace sealpack::nn::program {

// Memory that is zero when it is given back: parameters of the model are secrets.
template <typename T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>&) {}  // NOLINT: as std::allocator

  T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
  void deallocate(T* data, std::size_t count) {
    std::memset(data, 0, count * sizeof(T));
    __asm__ volatile("" : : "r"(data) : "memory");  // or the compiler leaves it out
    std::allocator<T>().deallocate(data, count);
  }
  bool operator==(const WipingAllocator&) const = default;
};

using Floats = std::vector<float, WipingAllocator<float>>;
using WipedBytes = std::vector<std::uint8_t, WipingAllocator<std::uint8_t>>;

}  // namespace sealpack::nn::program
