// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/file_map.h"

#include <algorithm>

#include "formats/bundle/tree.h"
#include "keymgmt/crypto/segment_cipher.h"

namespace sealpack::capi {

FileMap::FileMap(const bundle::Content& content, const bundle::Layout& layout)
    : content_(&content), layout_(&layout) {
  starts_.reserve(content.originals.size());
  for (const bundle::OriginalFile& original : content.originals) {
    std::vector<std::uint64_t>& starts = starts_.emplace_back();
    starts.reserve(original.extents.size());
    std::uint64_t start = 0;
    for (const bundle::Extent& extent : original.extents) {
      starts.push_back(start);
      start += extent.size;
    }
  }
}

std::uint64_t FileMap::whole_blocks(std::uint32_t file, std::uint64_t offset,
                                    std::uint64_t limit) const {
  std::uint64_t origin = 0;  // where blocks are counted from
  std::uint64_t block = bundle::kLeafSize;
  std::uint64_t end = ~std::uint64_t{0};  // of what is counted from there
  if (file >= content_->public_files.size()) {
    const auto& places = layout_->segments[file - content_->public_files.size()];
    const auto after = std::upper_bound(
        places.begin(), places.end(), offset,
        [](std::uint64_t wanted, const auto& place) { return wanted < place.plain_offset; });
    origin = std::prev(after)->plain_offset;
    block = crypto::SegmentCipher::kPlainChunk;
    if (after != places.end()) end = after->plain_offset;
  }
  if (end - offset <= limit) return end - offset;
  const std::uint64_t last = origin + (offset + limit - origin) / block * block;
  return last > offset ? last - offset : limit;
}

Piece FileMap::piece(std::size_t original, std::uint64_t offset, std::uint64_t limit) const {
  const std::vector<std::uint64_t>& starts = starts_[original];
  // The last extent that starts at or before `offset`; none is empty.
  const auto after = std::upper_bound(starts.begin(), starts.end(), offset);
  const auto index = static_cast<std::size_t>(after - starts.begin() - 1);
  const bundle::Extent& extent = content_->originals[original].extents[index];
  const std::uint64_t skip = offset - starts[index];
  const std::uint64_t left = std::min(extent.size - skip, limit);
  Piece piece{extent.file, extent.offset + skip, left, extent.size - skip <= limit};
  if (!piece.ends_extent) {
    piece.size = std::min(left, whole_blocks(extent.file, piece.offset, limit));
  }
  return piece;
}

std::uint64_t FileMap::sealed_size(std::size_t original) const {
  std::uint64_t size = 0;
  for (const bundle::Extent& extent : content_->originals[original].extents) {
    if (extent.file >= content_->public_files.size()) size += extent.size;
  }
  return size;
}

}  // namespace sealpack::capi
