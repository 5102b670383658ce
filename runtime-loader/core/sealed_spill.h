// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "runtime-loader/nn/services.h"

namespace sealpack::loader {

// Memory of the normal world, which reads and changes it at will.
class HostMemory {
 public:
  virtual ~HostMemory() = default;
  virtual std::uint64_t size() const = 0;
  // [offset, offset + size of the bytes) is inside size(). kIo.
  virtual Status write(std::uint64_t offset, Bytes bytes) = 0;
  virtual Status read(std::uint64_t offset, MutableBytes out) = 0;
};

// Keeps activations outside, sealed with AES-256-GCM under a key that is made here and dies here.
// The nonce is a counter that never repeats; number and generation of each block stay inside and
// are authenticated, so a block that was changed, moved or is older than the last one stored is
// refused. Takes one piece of 64 KiB of memory of its own.
class SealedSpill final : public nn::SpillStore {
 public:
  explicit SealedSpill(HostMemory& outside);
  ~SealedSpill() override;
  SealedSpill(const SealedSpill&) = delete;
  SealedSpill& operator=(const SealedSpill&) = delete;

  Status store(std::uint64_t block, Bytes plain) override;  // kLimit when there is no room outside
  Status load(std::uint64_t block, MutableBytes plain) override;
  void forget(std::uint64_t block) override;

  std::uint64_t bytes_stored() const;  // since the start, of plaintext
  std::uint64_t bytes_loaded() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::loader
