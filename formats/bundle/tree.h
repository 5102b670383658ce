// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/block_source.h"
#include "keymgmt/crypto/sha256.h"

// Merkle tree of one stream, a public file or a segment's ciphertext (FORMAT.md §4).
//
//   leaf  = SHA-256(0x00 || up to 16,400 bytes)        one sealed chunk of a segment
//   node  = SHA-256(0x01 || 4,096 bytes)               128 digests of the level below, zero padded
//   root  = the leaf of a stream of one leaf, else the node of the only node of the last level
//
// Nodes are stored level by level, lowest first. The shape follows from the signed size.
namespace sealpack::bundle {

inline constexpr std::size_t kLeafSize = 16400;
inline constexpr std::size_t kNodeSize = 4096;
inline constexpr std::size_t kFanOut = kNodeSize / Digest::kSize;

class TreeShape {
 public:
  explicit TreeShape(std::uint64_t stream_size);

  std::uint64_t leaf_count() const { return leaf_count_; }
  std::size_t level_count() const { return level_nodes_.size(); }  // of stored nodes
  std::uint64_t node_count(std::size_t level) const { return level_nodes_[level]; }
  std::uint64_t stored_size() const;
  // Where a node is, from the start of this stream's stored nodes. Level 0 is next to the leaves.
  std::uint64_t node_offset(std::size_t level, std::uint64_t index) const;
  // Digests that node `index` of `level` holds; what is behind them is zero.
  std::size_t digest_count(std::size_t level, std::uint64_t index) const;
  // Size of leaf `index`; 0 only for the one leaf of an empty stream.
  std::size_t leaf_size(std::uint64_t index) const;

 private:
  std::uint64_t stream_size_;
  std::uint64_t leaf_count_;
  std::vector<std::uint64_t> level_nodes_;
};

// Room for several leaves, each behind its tag byte and 64-byte aligned, so that one scattered read
// fills them and one batch hashes them.
class LeafBuffer {
 public:
  explicit LeafBuffer(std::size_t leaves);
  LeafBuffer(const LeafBuffer&) = delete;
  LeafBuffer& operator=(const LeafBuffer&) = delete;
  std::size_t capacity() const { return capacity_; }
  MutableBytes leaf(std::size_t i, std::size_t size = kLeafSize) {
    return {start_ + i * kStride + kTagOffset + 1, size};
  }
  // The leaf with its tag byte: what is hashed.
  Bytes tagged(std::size_t i, std::size_t size) const {
    return {start_ + i * kStride + kTagOffset, size + 1};
  }

 private:
  static constexpr std::size_t kTagOffset = 63;
  static constexpr std::size_t kStride = 64 + ((kLeafSize + 63) / 64) * 64;
  std::size_t capacity_;
  ByteVector storage_;
  std::uint8_t* start_;
};

Digest leaf_digest(Bytes leaf);
Digest node_digest(Bytes node);  // kNodeSize bytes

// Gives the verified digests of a stream's leaves. Reads stored nodes on demand and proves each
// against its parent up to `root`; keeps one node a level. Not for concurrent use.
class TreeReader {
 public:
  // The nodes of the stream start at `offset` of `bundle`, which must outlive the reader.
  TreeReader(const BlockSource& bundle, std::uint64_t offset, std::uint64_t stream_size,
             const Digest& root);

  const TreeShape& shape() const { return shape_; }
  // kNotAuthentic when a stored node does not match; kIo.
  Result<Digest> leaf(std::uint64_t index);

 private:
  struct Cached {
    std::uint64_t index = ~std::uint64_t{0};
    std::array<std::uint8_t, kNodeSize> node{};
  };
  Result<Digest> digest_of(std::size_t level, std::uint64_t index);

  const BlockSource* bundle_;
  std::uint64_t offset_;
  TreeShape shape_;
  Digest root_;
  std::vector<Cached> cache_;
};

// Computes the nodes of a stream while it is written. Groups of kFanOut leaves may arrive in any
// order; the sink receives every node once with its offset.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::uint64_t stream_size);
  const TreeShape& shape() const { return shape_; }

  // The node of group `group` (leaves group * kFanOut …), to be stored at shape().node_offset(0,
  // group). Thread-safe for distinct groups.
  std::array<std::uint8_t, kNodeSize> add_group(std::uint64_t group,
                                                std::span<const Digest> leaves);

  // A node to store and its offset.
  struct StoredNode {
    std::uint64_t offset = 0;
    std::array<std::uint8_t, kNodeSize> bytes{};
  };
  // After all groups: the nodes above level 0, and the root.
  struct Finished {
    std::vector<StoredNode> upper_nodes;
    Digest root;
  };
  Finished finish() const;

 private:
  TreeShape shape_;
  std::vector<Digest> level_;  // digests of level 0, or the only leaf
};

}  // namespace sealpack::bundle
