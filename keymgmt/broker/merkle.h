// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "formats/base/bytes.h"

// The tree of RFC 6962 §2.1 over SHA-256: leaf 0x00, node 0x01.
namespace sealpack::broker::merkle {

Digest empty_root();
Digest leaf_hash(Bytes entry);
Digest node_hash(const Digest& left, const Digest& right);

// The right edge of a tree: all that is needed to append to it and to know its root.
class Frontier {
 public:
  Frontier() = default;
  // The hashes of the complete subtrees of a tree of `size` leaves, largest first. kMalformed when
  // their number does not fit the size.
  static Result<Frontier> from(std::uint64_t size, std::vector<Digest> hashes);

  // A subtree of 2^height leaves that an append completed; `index` counts those of its height.
  struct Completed {
    unsigned height = 0;
    std::uint64_t index = 0;
    Digest hash;
  };
  // Adds a leaf and tells what it completed, the leaf itself (height 0) first.
  std::vector<Completed> append(const Digest& leaf);

  std::uint64_t size() const { return size_; }
  const std::vector<Digest>& hashes() const { return hashes_; }
  Digest root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> hashes_;
};

// Where hashes of complete subtrees come from: those of 256^level leaves, `count` of them from
// number `first` on. Level 0: leaf hashes.
using Nodes = std::function<Result<std::vector<Digest>>(unsigned level, std::uint64_t first,
                                                        std::size_t count)>;

// Root of the first `size` leaves.
Result<Digest> root_at(const Nodes& nodes, std::uint64_t size);
// RFC 6962 §2.1.1 and §2.1.2. kUsage for an index or size that the tree does not have.
Result<std::vector<Digest>> inclusion_proof(const Nodes& nodes, std::uint64_t index,
                                            std::uint64_t size);
Result<std::vector<Digest>> consistency_proof(const Nodes& nodes, std::uint64_t old_size,
                                              std::uint64_t new_size);

// RFC 9162 §2.1.3.2 and §2.1.4.2: for whoever was given a proof. kNotAuthentic.
Status verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                        std::span<const Digest> proof, const Digest& root);
Status verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size,
                          const Digest& new_root, std::span<const Digest> proof);

}  // namespace sealpack::broker::merkle
