// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/tree.h"

#include <algorithm>

namespace sealpack::bundle {
namespace {

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

Digest tagged_digest(std::uint8_t tag, Bytes bytes) {
  crypto::Sha256 hash;
  hash.update({&tag, 1}).update(bytes);
  return hash.finish();
}

std::array<std::uint8_t, kNodeSize> pack(std::span<const Digest> digests) {
  std::array<std::uint8_t, kNodeSize> node{};
  auto* out = node.data();
  for (const Digest& digest : digests) {
    out = std::copy(digest.bytes.begin(), digest.bytes.end(), out);
  }
  return node;
}

}  // namespace

TreeShape::TreeShape(std::uint64_t stream_size)
    : stream_size_(stream_size),
      leaf_count_(std::max<std::uint64_t>(1, divide_up(stream_size, kLeafSize))) {
  for (std::uint64_t count = leaf_count_; count > 1;) {
    count = divide_up(count, kFanOut);
    level_nodes_.push_back(count);
  }
}

std::uint64_t TreeShape::stored_size() const {
  std::uint64_t count = 0;
  for (const std::uint64_t nodes : level_nodes_) count += nodes;
  return count * kNodeSize;
}

std::uint64_t TreeShape::node_offset(std::size_t level, std::uint64_t index) const {
  std::uint64_t before = index;
  for (std::size_t i = 0; i < level; ++i) before += level_nodes_[i];
  return before * kNodeSize;
}

std::size_t TreeShape::digest_count(std::size_t level, std::uint64_t index) const {
  const std::uint64_t below = level == 0 ? leaf_count_ : level_nodes_[level - 1];
  return static_cast<std::size_t>(std::min<std::uint64_t>(kFanOut, below - index * kFanOut));
}

std::size_t TreeShape::leaf_size(std::uint64_t index) const {
  const std::uint64_t start = index * kLeafSize;
  return static_cast<std::size_t>(std::min<std::uint64_t>(kLeafSize, stream_size_ - start));
}

LeafBuffer::LeafBuffer(std::size_t leaves) : capacity_(leaves), storage_(leaves * kStride + 64) {
  const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
  start_ = storage_.data() + (64 - address % 64) % 64;
  // The tag bytes are zero already: the storage is.
}

Digest leaf_digest(Bytes leaf) {
  return tagged_digest(0x00, leaf);
}
Digest node_digest(Bytes node) {
  return tagged_digest(0x01, node);
}

TreeReader::TreeReader(const BlockSource& bundle, std::uint64_t offset, std::uint64_t stream_size,
                       const Digest& root)
    : bundle_(&bundle),
      offset_(offset),
      shape_(stream_size),
      root_(root),
      cache_(shape_.level_count()) {}

Result<Digest> TreeReader::leaf(std::uint64_t index) {
  if (index >= shape_.leaf_count()) die("leaf beyond its stream");
  return digest_of(0, index);
}

// Digest number `index` below level `level`, which is the root above the last level.
Result<Digest> TreeReader::digest_of(std::size_t level, std::uint64_t index) {
  if (level == shape_.level_count()) return root_;
  Cached& cached = cache_[level];
  if (cached.index != index / kFanOut) {
    const Digest expected = TRY(digest_of(level + 1, index / kFanOut));
    cached.index = ~std::uint64_t{0};
    TRY(bundle_->read_at(offset_ + shape_.node_offset(level, index / kFanOut), cached.node));
    if (node_digest(cached.node) != expected) {
      return Error(ErrorCode::kNotAuthentic, "the hash tree does not match its signed root");
    }
    const std::size_t used = shape_.digest_count(level, index / kFanOut) * Digest::kSize;
    if (std::any_of(cached.node.begin() + static_cast<std::ptrdiff_t>(used), cached.node.end(),
                    [](std::uint8_t byte) { return byte != 0; })) {
      return Error(ErrorCode::kMalformed, "a node of the hash tree is not filled with zeros");
    }
    cached.index = index / kFanOut;
  }
  Digest digest;
  std::copy_n(cached.node.begin() + static_cast<std::ptrdiff_t>(index % kFanOut * Digest::kSize),
              Digest::kSize, digest.bytes.begin());
  return digest;
}

TreeBuilder::TreeBuilder(std::uint64_t stream_size)
    : shape_(stream_size),
      level_(static_cast<std::size_t>(divide_up(shape_.leaf_count(), kFanOut))) {}

std::array<std::uint8_t, kNodeSize> TreeBuilder::add_group(std::uint64_t group,
                                                           std::span<const Digest> leaves) {
  const auto node = pack(leaves);
  level_[static_cast<std::size_t>(group)] =
      shape_.level_count() == 0 ? leaves[0] : node_digest(node);
  return node;
}

TreeBuilder::Finished TreeBuilder::finish() const {
  Finished finished;
  std::vector<Digest> below = level_;
  for (std::size_t level = 1; level < shape_.level_count(); ++level) {
    std::vector<Digest> digests;
    for (std::size_t first = 0; first < below.size(); first += kFanOut) {
      const std::size_t count = std::min(kFanOut, below.size() - first);
      StoredNode node;
      node.offset = shape_.node_offset(level, first / kFanOut);
      node.bytes = pack(std::span(below).subspan(first, count));
      digests.push_back(node_digest(node.bytes));
      finished.upper_nodes.push_back(node);
    }
    below = std::move(digests);
  }
  finished.root = below.at(0);
  return finished;
}

}  // namespace sealpack::bundle
