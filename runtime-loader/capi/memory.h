// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "runtime-loader/capi/boundary.h"
#include "runtime-loader/nn/services.h"

namespace sealpack::capi {

// Memory for models: the caller's allocator or this process's heap, under a limit. Wiped before it
// goes back.
class ModelMemory final : public nn::Memory {
 public:
  // `limit` 0: none. An `allocator` of zeros: the heap.
  ModelMemory(const sealpack_allocator& allocator, std::uint64_t limit)
      : allocator_(allocator), limit_(limit == 0 ? ~std::uint64_t{0} : limit) {}

  Result<MutableBytes> allocate(std::size_t size) override;
  void release(MutableBytes block) override;
  std::uint64_t peak() const { return peak_; }

 private:
  sealpack_allocator allocator_;
  std::uint64_t limit_;
  std::uint64_t held_ = 0;
  std::atomic<std::uint64_t> peak_{0};  // read by any thread
};

}  // namespace sealpack::capi
