// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/pending_source.h"

#include <algorithm>
#include <cstring>

namespace sealpack::loader {
namespace {

// Within an attempt; more would ask for more memory than any shared buffer has.
constexpr std::size_t kMaxGranules = std::size_t{1} << 20U;

Error not_there() {
  return {ErrorCode::kTryAgain, "bytes of the bundle are not here yet"};
}

Status check_range(std::uint64_t offset, std::uint64_t size, std::uint64_t end) {
  if (offset <= end && size <= end - offset) return done();
  return Error(ErrorCode::kIo, "a read behind the end of the bundle");
}

}  // namespace

Status PendingSource::read_at(std::uint64_t offset, MutableBytes out) const {
  TRY(check_range(offset, out.size(), size_));
  note(offset, out.size());
  if (copy(offset, out)) return done();
  waiting_ = true;
  return not_there();
}

// Noted as a whole first: one message fetches all pieces.
Status PendingSource::read_scattered(std::uint64_t offset,
                                     std::span<const MutableBytes> pieces) const {
  std::uint64_t total = 0;
  for (const MutableBytes piece : pieces) total += piece.size();
  TRY(check_range(offset, total, size_));
  note(offset, total);
  for (const MutableBytes piece : pieces) {
    TRY(read_at(offset, piece));
    offset += piece.size();
  }
  return done();
}

void PendingSource::note(std::uint64_t offset, std::uint64_t size) const {
  if (size == 0) return;
  for (std::uint64_t granule = offset / kGranule; granule <= (offset + size - 1) / kGranule;
       ++granule) {
    const auto place = std::lower_bound(granules_.begin(), granules_.end(), granule);
    if (place != granules_.end() && *place == granule) continue;
    if (granules_.size() == kMaxGranules) return;
    granules_.insert(place, granule);
  }
}

// From one block or several that follow each other. The copy is the caller's to prove.
bool PendingSource::copy(std::uint64_t offset, MutableBytes out) const {
  while (!out.empty()) {
    auto block = std::upper_bound(
        blocks_.begin(), blocks_.end(), offset,
        [](std::uint64_t wanted, const auto& entry) { return wanted < entry.range.offset; });
    if (block == blocks_.begin()) return false;
    --block;
    const std::uint64_t skip = offset - block->range.offset;
    if (skip >= block->range.size) return false;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(block->range.size - skip, out.size()));
    std::memcpy(out.data(), shared_.data + block->at + skip, size);
    out = out.subspan(size);
    offset += size;
  }
  return true;
}

void PendingSource::start_attempt() {
  granules_.clear();
  waiting_ = false;
}

Result<std::vector<BundleRange>> PendingSource::needed() const {
  std::vector<BundleRange> ranges;
  for (const std::uint64_t granule : granules_) {
    const std::uint64_t start = granule * kGranule;
    const std::uint64_t size = std::min(kGranule, size_ - start);
    if (!ranges.empty() && ranges.back().offset + ranges.back().size == start) {
      ranges.back().size += size;
    } else if (ranges.size() == kMaxBlocksInMessage) {
      return Error(ErrorCode::kLimit, "a step needs more than " +
                                          std::to_string(kMaxBlocksInMessage) +
                                          " ranges of the bundle at once");
    } else {
      ranges.push_back({start, size});
    }
  }
  return ranges;
}

Status PendingSource::place(const std::vector<BlocksMessage::Block>& blocks, SharedBuffer shared) {
  for (const BlocksMessage::Block& block : blocks) {
    const bool in_bundle =
        block.range.offset <= size_ && block.range.size <= size_ - block.range.offset;
    const bool in_buffer = block.at <= shared.size && block.range.size <= shared.size - block.at;
    if (!in_bundle || !in_buffer) {
      return Error(ErrorCode::kMalformed, "a block lies outside the bundle or the buffer");
    }
  }
  blocks_ = blocks;
  shared_ = shared;
  std::sort(blocks_.begin(), blocks_.end(),
            [](const auto& a, const auto& b) { return a.range.offset < b.range.offset; });
  return done();
}

void PendingSource::withdraw() {
  blocks_.clear();
  shared_ = {};
}

}  // namespace sealpack::loader
