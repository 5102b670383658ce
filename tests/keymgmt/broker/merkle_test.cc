// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/merkle.h"

#include <bit>

#include "keymgmt/crypto/sha256.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker::merkle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

constexpr std::size_t kLargest = 70;

ByteVector entry(std::size_t i) {
  return ByteVector(i % 5, static_cast<std::uint8_t>(i));
}

// RFC 6962 §2.1, §2.1.1 and §2.1.2 word for word, over all entries.
using Entries = std::vector<ByteVector>;
Digest join(std::uint8_t tag, std::initializer_list<Bytes> parts) {
  ByteVector bytes = {tag};
  for (const Bytes part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return crypto::sha256(bytes);
}
std::size_t largest_power_below(std::size_t n) {
  std::size_t k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
Digest mth(std::span<const ByteVector> d) {
  if (d.empty()) return crypto::sha256({});
  if (d.size() == 1) return join(0, {d[0]});
  const std::size_t k = largest_power_below(d.size());
  const Digest left = mth(d.first(k));
  const Digest right = mth(d.subspan(k));
  return join(1, {left.bytes, right.bytes});
}
std::vector<Digest> path(std::size_t m, std::span<const ByteVector> d) {
  if (d.size() == 1) return {};
  const std::size_t k = largest_power_below(d.size());
  std::vector<Digest> out = m < k ? path(m, d.first(k)) : path(m - k, d.subspan(k));
  out.push_back(m < k ? mth(d.subspan(k)) : mth(d.first(k)));
  return out;
}
std::vector<Digest> subproof(std::size_t m, std::span<const ByteVector> d, bool b) {
  if (m == d.size()) return b ? std::vector<Digest>{} : std::vector<Digest>{mth(d)};
  const std::size_t k = largest_power_below(d.size());
  std::vector<Digest> out =
      m <= k ? subproof(m, d.first(k), b) : subproof(m - k, d.subspan(k), false);
  out.push_back(m <= k ? mth(d.subspan(k)) : mth(d.first(k)));
  return out;
}

Entries make_entries(std::size_t count) {
  Entries out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(entry(i));
  return out;
}

// Keeps what a store keeps: the subtrees of 256^level leaves.
class Kept {
 public:
  void append(Bytes bytes) {
    for (const auto& node : frontier_.append(leaf_hash(bytes))) {
      if (node.height % 8 == 0) levels_[node.height / 8].push_back(node.hash);
    }
  }
  Nodes nodes() const {
    return [this](unsigned level, std::uint64_t first,
                  std::size_t count) -> Result<std::vector<Digest>> {
      const auto& row = levels_.at(level);
      std::vector<Digest> out;
      for (std::size_t i = first; i < std::min<std::size_t>(first + count, row.size()); ++i) {
        out.push_back(row[i]);
      }
      return out;
    };
  }
  const Frontier& frontier() const { return frontier_; }
  std::vector<Digest>& leaves() { return levels_[0]; }

 private:
  Frontier frontier_;
  std::array<std::vector<Digest>, 3> levels_;
};

// Certificate Transparency's own test vectors for these eight entries.
TEST(MerkleTree, GivesTheKnownRoots) {
  const std::vector<std::string> inputs = {"",
                                           "00",
                                           "10",
                                           "2021",
                                           "3031",
                                           "40414243",
                                           "5051525354555657",
                                           "606162636465666768696a6b6c6d6e6f"};
  const std::vector<std::string> roots = {
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  Frontier frontier;
  EXPECT_EQ(to_hex(frontier.root().bytes),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    frontier.append(leaf_hash(from_hex(inputs[i]).value()));
    EXPECT_EQ(to_hex(frontier.root().bytes), roots[i]) << i;
  }
}

TEST(MerkleTree, HasTheRootsAndProofsOfRfc6962) {
  const Entries entries = make_entries(kLargest);
  Kept kept;
  for (std::size_t size = 0; size <= kLargest; ++size) {
    const auto d = std::span(entries).first(size);
    const Digest root = mth(d);
    ASSERT_EQ(kept.frontier().root(), root) << size;
    ASSERT_EQ(root_at(kept.nodes(), size).value(), root) << size;
    const auto again = Frontier::from(size, kept.frontier().hashes());
    ASSERT_EQ(again->root(), root);
    for (std::size_t i = 0; i < size; ++i) {
      const auto proof = inclusion_proof(kept.nodes(), i, size).value();
      ASSERT_EQ(proof, path(i, d)) << i << " of " << size;
      ASSERT_THAT(verify_inclusion(leaf_hash(entries[i]), i, size, proof, root), Succeeds());
    }
    for (std::size_t old = 1; old <= size; ++old) {
      const auto proof = consistency_proof(kept.nodes(), old, size).value();
      ASSERT_EQ(proof, subproof(old, d, true)) << old << " to " << size;
      ASSERT_THAT(verify_consistency(old, mth(d.first(old)), size, root, proof), Succeeds());
    }
    if (size < kLargest) kept.append(entries[size]);
  }
}

TEST(MerkleTree, UsesNodesOfHigherLevels) {
  constexpr std::size_t kMany = 256 * 3 + 77;
  const Entries entries = make_entries(kMany);
  Kept kept;
  for (const ByteVector& one : entries) kept.append(one);
  ASSERT_EQ(root_at(kept.nodes(), kMany).value(), mth(entries));
  for (const std::size_t index : {0U, 255U, 256U, 767U, 768U, 844U}) {
    EXPECT_EQ(inclusion_proof(kept.nodes(), index, kMany).value(), path(index, entries)) << index;
  }
  for (const std::size_t old : {1U, 255U, 256U, 257U, 512U, 768U, 800U}) {
    EXPECT_EQ(consistency_proof(kept.nodes(), old, kMany).value(), subproof(old, entries, true));
  }
}

TEST(MerkleTree, HasNoProofOfWhatIsNotThere) {
  Kept kept;
  for (std::size_t i = 0; i < 5; ++i) kept.append(entry(i));
  EXPECT_THAT(inclusion_proof(kept.nodes(), 5, 5), Fails(ErrorCode::kUsage));
  EXPECT_THAT(consistency_proof(kept.nodes(), 0, 5), Fails(ErrorCode::kUsage));
  EXPECT_THAT(consistency_proof(kept.nodes(), 6, 5), Fails(ErrorCode::kUsage));
  kept.leaves().pop_back();
  EXPECT_THAT(root_at(kept.nodes(), 5), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(Frontier::from(5, {Digest{}}), Fails(ErrorCode::kMalformed));
}

TEST(MerkleProofs, HoldForNothingElse) {
  const Entries entries = make_entries(13);
  Kept kept;
  for (const ByteVector& one : entries) kept.append(one);
  const Digest root = mth(entries);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto proof = inclusion_proof(kept.nodes(), i, 13).value();
    const Digest leaf = leaf_hash(entries[i]);
    EXPECT_FALSE(verify_inclusion(leaf, (i + 1) % 13, 13, proof, root).ok());
    EXPECT_FALSE(verify_inclusion(leaf_hash(as_bytes("x")), i, 13, proof, root).ok());
    EXPECT_FALSE(verify_inclusion(leaf, 13 + i, 13, proof, root).ok());
    EXPECT_FALSE(
        verify_inclusion(leaf, i, 13, std::span(proof).first(proof.size() - 1), root).ok());
    auto longer = proof;
    longer.push_back(root);
    EXPECT_FALSE(verify_inclusion(leaf, i, 13, longer, root).ok());
    for (std::size_t part = 0; part < proof.size(); ++part) {
      auto changed = proof;
      changed[part].bytes[0] ^= 1;
      EXPECT_FALSE(verify_inclusion(leaf, i, 13, changed, root).ok());
    }
  }
}

TEST(MerkleProofs, ShowAForkedLog) {
  const Entries entries = make_entries(13);
  Entries forked = entries;
  forked[2] = {99};
  Kept kept;
  for (const ByteVector& one : forked) kept.append(one);
  for (std::size_t old = 1; old <= 13; ++old) {
    const auto proof = consistency_proof(kept.nodes(), old, 13).value();
    const Digest old_root = mth(std::span(entries).first(old));
    EXPECT_EQ(verify_consistency(old, old_root, 13, mth(forked), proof).ok(), old <= 2) << old;
    auto longer = proof;
    longer.push_back(old_root);
    const Digest same = mth(std::span(forked).first(old));
    EXPECT_FALSE(verify_consistency(old, same, 13, mth(forked), longer).ok()) << old;
    if (!proof.empty()) {
      EXPECT_FALSE(
          verify_consistency(old, same, 13, mth(forked), std::span(proof).first(proof.size() - 1))
              .ok());
    }
  }
  EXPECT_FALSE(verify_consistency(0, mth({}), 13, mth(forked), {}).ok());
}

}  // namespace
}  // namespace sealpack::broker::merkle
