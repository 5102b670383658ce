// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "runtime-loader/core/machine.h"

// What of the normal world the program reaches without asking in messages: the bundles it was
// started with, and the part of the shared memory for sealed activations.
namespace sealpack::tee {

struct OutsideTraffic {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

// Opens bundle n of `count` by its descriptor. The file may change at any time: readers copy and
// verify. `traffic` must outlive it.
loader::OpenSource bundle_opener(std::uint32_t count, OutsideTraffic& traffic);

// Copies of bytes in [data, data + size), which the host changes at will.
class SpillArea final : public loader::HostMemory {
 public:
  SpillArea(std::uint8_t* data, std::uint64_t size, OutsideTraffic& traffic)
      : data_(data), size_(size), traffic_(traffic) {}
  std::uint64_t size() const override { return size_; }
  Status write(std::uint64_t offset, Bytes bytes) override;
  Status read(std::uint64_t offset, MutableBytes out) override;

 private:
  std::uint8_t* data_;
  std::uint64_t size_;
  OutsideTraffic& traffic_;
};

}  // namespace sealpack::tee
