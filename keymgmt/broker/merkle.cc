// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/merkle.h"

#include <algorithm>
#include <bit>

#include "keymgmt/crypto/sha256.h"

namespace sealpack::broker::merkle {
namespace {

constexpr unsigned kLevelHeight = 8;  // of a level of Nodes

// The largest power of two below `count`, which is at least 2.
std::uint64_t split_of(std::uint64_t count) {
  return std::bit_floor(count - 1);
}

// Hashes of parts of a tree whose nodes are stored.
class Tree {
 public:
  explicit Tree(const Nodes& nodes) : nodes_(nodes) {}

  // MTH(D[begin:end]) where `begin` is a multiple of the smallest power of two that holds
  // the range, as in every part that RFC 6962 names. Not empty.
  Result<Digest> hash(std::uint64_t begin, std::uint64_t end) const {
    const std::uint64_t count = end - begin;
    if (std::has_single_bit(count)) {
      return complete(begin, static_cast<unsigned>(std::countr_zero(count)));
    }
    const std::uint64_t middle = begin + split_of(count);
    const Digest left = TRY(hash(begin, middle));
    return node_hash(left, TRY(hash(middle, end)));
  }

  // PATH(index - begin, D[begin:end])
  Status path(std::uint64_t index, std::uint64_t begin, std::uint64_t end,
              std::vector<Digest>& out) const {
    if (end - begin == 1) return done();
    const std::uint64_t middle = begin + split_of(end - begin);
    if (index < middle) {
      TRY(path(index, begin, middle, out));
      out.push_back(TRY(hash(middle, end)));
    } else {
      TRY(path(index, middle, end, out));
      out.push_back(TRY(hash(begin, middle)));
    }
    return done();
  }

  // SUBPROOF(old_end - begin, D[begin:end], whole)
  Status subproof(std::uint64_t old_end, std::uint64_t begin, std::uint64_t end, bool whole,
                  std::vector<Digest>& out) const {
    if (old_end == end) {
      if (!whole) out.push_back(TRY(hash(begin, end)));
      return done();
    }
    const std::uint64_t middle = begin + split_of(end - begin);
    if (old_end <= middle) {
      TRY(subproof(old_end, begin, middle, whole, out));
      out.push_back(TRY(hash(middle, end)));
    } else {
      TRY(subproof(old_end, middle, end, false, out));
      out.push_back(TRY(hash(begin, middle)));
    }
    return done();
  }

 private:
  // The subtree of 2^height leaves from `begin` on.
  Result<Digest> complete(std::uint64_t begin, unsigned height) const {
    const unsigned level = height / kLevelHeight;
    const std::size_t count = std::size_t{1} << (height % kLevelHeight);
    std::vector<Digest> row = TRY(nodes_(level, begin >> (level * kLevelHeight), count));
    if (row.size() != count) {
      return Error(ErrorCode::kMalformed, "the log lacks nodes of its tree");
    }
    for (; row.size() > 1; row.resize(row.size() / 2)) {
      for (std::size_t i = 0; i < row.size() / 2; ++i) {
        row[i] = node_hash(row[2 * i], row[2 * i + 1]);
      }
    }
    return row.front();
  }

  const Nodes& nodes_;
};

Error proof_fails() {
  return {ErrorCode::kNotAuthentic, "the proof does not hold"};
}

}  // namespace

Digest empty_root() {
  return crypto::sha256({});
}

Digest leaf_hash(Bytes entry) {
  static constexpr std::uint8_t kLeaf[] = {0};
  return crypto::Sha256().update(kLeaf).update(entry).finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 1 + 2 * Digest::kSize> joined{1};
  std::copy(left.bytes.begin(), left.bytes.end(), joined.begin() + 1);
  std::copy(right.bytes.begin(), right.bytes.end(), joined.begin() + 1 + Digest::kSize);
  return crypto::sha256(joined);
}

Result<Frontier> Frontier::from(std::uint64_t size, std::vector<Digest> hashes) {
  if (hashes.size() != static_cast<std::size_t>(std::popcount(size))) {
    return Error(ErrorCode::kMalformed, "a tree of " + std::to_string(size) + " leaves with " +
                                            std::to_string(hashes.size()) + " subtrees");
  }
  Frontier frontier;
  frontier.size_ = size;
  frontier.hashes_ = std::move(hashes);
  return frontier;
}

std::vector<Frontier::Completed> Frontier::append(const Digest& leaf) {
  std::vector<Completed> completed = {{0, size_, leaf}};
  hashes_.push_back(leaf);
  // Each lowest bit of the old size is a subtree that the new leaf completes.
  for (std::uint64_t rest = size_; (rest & 1U) != 0; rest >>= 1U) {
    const Digest right = hashes_.back();
    hashes_.pop_back();
    hashes_.back() = node_hash(hashes_.back(), right);
    completed.push_back({completed.back().height + 1, rest >> 1U, hashes_.back()});
  }
  ++size_;
  return completed;
}

Digest Frontier::root() const {
  if (hashes_.empty()) return empty_root();
  Digest root = hashes_.back();
  for (auto left = hashes_.rbegin() + 1; left != hashes_.rend(); ++left) {
    root = node_hash(*left, root);
  }
  return root;
}

Result<Digest> root_at(const Nodes& nodes, std::uint64_t size) {
  if (size == 0) return empty_root();
  return Tree(nodes).hash(0, size);
}

Result<std::vector<Digest>> inclusion_proof(const Nodes& nodes, std::uint64_t index,
                                            std::uint64_t size) {
  if (index >= size) {
    return Error(ErrorCode::kUsage,
                 "no entry " + std::to_string(index) + " in a log of " + std::to_string(size));
  }
  std::vector<Digest> proof;
  TRY(Tree(nodes).path(index, 0, size, proof));
  return proof;
}

Result<std::vector<Digest>> consistency_proof(const Nodes& nodes, std::uint64_t old_size,
                                              std::uint64_t new_size) {
  if (old_size == 0 || old_size > new_size) {
    return Error(ErrorCode::kUsage, "no proof leads from a log of " + std::to_string(old_size) +
                                        " entries to one of " + std::to_string(new_size));
  }
  std::vector<Digest> proof;
  TRY(Tree(nodes).subproof(old_size, 0, new_size, true, proof));
  return proof;
}

Status verify_inclusion(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                        std::span<const Digest> proof, const Digest& root) {
  if (index >= size) return proof_fails();
  std::uint64_t at = index;
  std::uint64_t last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return proof_fails();
    if ((at & 1U) != 0 || at == last) {
      hash = node_hash(sibling, hash);
      // The last node of a row without a sibling rises unchanged.
      for (; (at & 1U) == 0 && at != 0; at >>= 1U) last >>= 1U;
    } else {
      hash = node_hash(hash, sibling);
    }
    at >>= 1U;
    last >>= 1U;
  }
  return last == 0 && hash == root ? done() : Status(proof_fails());
}

Status verify_consistency(std::uint64_t old_size, const Digest& old_root, std::uint64_t new_size,
                          const Digest& new_root, std::span<const Digest> proof) {
  if (old_size == 0 || old_size > new_size) return proof_fails();
  if (old_size == new_size) {
    return proof.empty() && old_root == new_root ? done() : Status(proof_fails());
  }
  // An old tree that is complete is a node of the new one, and the proof leaves it out.
  const bool complete = std::has_single_bit(old_size);
  if (!complete && proof.empty()) return proof_fails();
  Digest old_hash = complete ? old_root : proof.front();
  Digest new_hash = old_hash;
  std::uint64_t at = old_size - 1;
  std::uint64_t last = new_size - 1;
  for (; (at & 1U) != 0; at >>= 1U) last >>= 1U;
  for (const Digest& sibling : proof.subspan(complete ? 0 : 1)) {
    if (last == 0) return proof_fails();
    if ((at & 1U) != 0 || at == last) {
      old_hash = node_hash(sibling, old_hash);
      new_hash = node_hash(sibling, new_hash);
      for (; (at & 1U) == 0 && at != 0; at >>= 1U) last >>= 1U;
    } else {
      new_hash = node_hash(new_hash, sibling);
    }
    at >>= 1U;
    last >>= 1U;
  }
  return last == 0 && old_hash == old_root && new_hash == new_root ? done() : Status(proof_fails());
}

}  // namespace sealpack::broker::merkle
