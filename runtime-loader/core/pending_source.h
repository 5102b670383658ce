// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime-loader/core/messages.h"

namespace sealpack::loader {

// Memory that both worlds write at any time. What lies in it is copied once, then judged.
struct SharedBuffer {
  std::uint8_t* data = nullptr;
  std::uint64_t size = 0;
};

// A bundle's bytes for a TEE that cannot call out: a read of bytes that are not in the shared
// buffer fails with kTryAgain, and the source knows what an attempt needs. Keeps no bytes itself.
// For one thread.
class PendingSource final : public BlockSource {
 public:
  // Ranges are asked for in whole granules, so that neighbouring reads come together.
  static constexpr std::uint64_t kGranule = std::uint64_t{32} << 10U;

  explicit PendingSource(std::uint64_t size) : size_(size) {}

  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override;
  Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const override;

  // Forgets what attempts before needed.
  void start_attempt();
  // Whether a read failed since start_attempt.
  bool is_waiting() const { return waiting_; }
  // What was read or asked for since start_attempt: ascending, apart from each other. kLimit when
  // it is more than kMaxBlocksInMessage ranges.
  Result<std::vector<BundleRange>> needed() const;

  // The blocks of a message, until withdraw. kMalformed for a block outside the bundle or buffer.
  Status place(const std::vector<BlocksMessage::Block>& blocks, SharedBuffer shared);
  void withdraw();

 private:
  void note(std::uint64_t offset, std::uint64_t size) const;
  bool copy(std::uint64_t offset, MutableBytes out) const;

  std::uint64_t size_;
  SharedBuffer shared_;
  std::vector<BlocksMessage::Block> blocks_;  // ascending by offset
  mutable std::vector<std::uint64_t> granules_;
  mutable bool waiting_ = false;
};

}  // namespace sealpack::loader
