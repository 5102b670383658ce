// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/memory.h"

#include <cstdlib>

#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::capi {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

Result<MutableBytes> ModelMemory::allocate(std::size_t size) {
  if (size > limit_ || held_ > limit_ - size) {
    return Error(ErrorCode::kLimit, "the model wants " + std::to_string(size) +
                                        " bytes more than the " + std::to_string(held_) +
                                        " it has; the limit is " + std::to_string(limit_));
  }
  const std::size_t wanted = std::max<std::size_t>(size, 1);
  void* memory = nullptr;
  if (allocator_.allocate != nullptr) {
    memory = allocator_.allocate(allocator_.context, wanted);
  } else if (const auto rounded = checked_align(wanted, kAlignment)) {
    memory = std::aligned_alloc(kAlignment, static_cast<std::size_t>(*rounded));
  }
  if (memory == nullptr) {
    return Error(ErrorCode::kLimit,
                 "no memory: " + std::to_string(size) + " bytes are not to be had");
  }
  const MutableBytes block(static_cast<std::uint8_t*>(memory), size);
  if (reinterpret_cast<std::uintptr_t>(memory) % kAlignment != 0) {
    if (allocator_.release != nullptr) allocator_.release(allocator_.context, memory, wanted);
    return usage("allocate gave memory that is not aligned to 64 bytes");
  }
  held_ += size;
  peak_ = std::max<std::uint64_t>(peak_, held_);
  return block;
}

void ModelMemory::release(MutableBytes block) {
  crypto::wipe(block);
  held_ -= block.size();
  if (allocator_.allocate == nullptr) {
    std::free(block.data());
  } else {
    allocator_.release(allocator_.context, block.data(), std::max<std::size_t>(block.size(), 1));
  }
}

}  // namespace sealpack::capi
