// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/nn/services.h"

namespace sealpack::nn {

// `count` elements of secure memory, given back (and wiped) at the end of its life. Contents are
// undefined at first; T is a plain number.
template <typename T>
class Scratch {
 public:
  static Result<Scratch> make(Memory& memory, std::size_t count) {
    const std::optional<std::uint64_t> size = checked_multiply(count, sizeof(T));
    if (!size) return Error(ErrorCode::kLimit, "scratch memory of over 2^64 bytes");
    if (*size == 0) return Scratch(memory, {}, 0);
    return Scratch(memory, TRY(memory.allocate(*size)), count);
  }
  Scratch(Scratch&& other) noexcept
      : memory_(other.memory_), block_(std::exchange(other.block_, {})), count_(other.count_) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    if (!block_.empty()) memory_->release(block_);
  }

  T* data() const { return reinterpret_cast<T*>(block_.data()); }
  std::span<T> elements() const { return {data(), count_}; }

 private:
  Scratch(Memory& memory, MutableBytes block, std::size_t count)
      : memory_(&memory), block_(block), count_(count) {}

  Memory* memory_;
  MutableBytes block_;
  std::size_t count_;
};

}  // namespace sealpack::nn
