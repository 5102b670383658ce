// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/tree.h"

#include <algorithm>
#include <type_traits>

#include "tests/testing/result_matchers.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;

std::vector<std::uint64_t> levels(const TreeShape& shape) {
  std::vector<std::uint64_t> counts;
  for (std::size_t i = 0; i < shape.level_count(); ++i) counts.push_back(shape.node_count(i));
  return counts;
}

TEST(TreeShape, FollowsFromTheSizeOfTheStream) {
  EXPECT_EQ(TreeShape(0).leaf_count(), 1U);
  EXPECT_EQ(TreeShape(1).leaf_count(), 1U);
  EXPECT_EQ(TreeShape(16400).leaf_count(), 1U);
  EXPECT_EQ(TreeShape(16400).stored_size(), 0U);
  EXPECT_EQ(TreeShape(16401).leaf_count(), 2U);
  EXPECT_THAT(levels(TreeShape(16401)), ElementsAre(1));
  EXPECT_THAT(levels(TreeShape(128 * 16400)), ElementsAre(1));
  EXPECT_THAT(levels(TreeShape(128 * 16400 + 1)), ElementsAre(2, 1));
  EXPECT_THAT(levels(TreeShape(16384 * 16400)), ElementsAre(128, 1));
  EXPECT_THAT(levels(TreeShape(16384 * 16400 + 1)), ElementsAre(129, 2, 1));
  // 2^40 / 16400 = 67,043,391.9
  EXPECT_EQ(TreeShape(std::uint64_t{1} << 40U).leaf_count(), 67043392U);
  EXPECT_THAT(levels(TreeShape(std::uint64_t{1} << 40U)), ElementsAre(523777, 4093, 32, 1));
}

TEST(TreeShape, HasLeavesThatCoverTheStream) {
  EXPECT_EQ(TreeShape(0).leaf_size(0), 0U);
  EXPECT_EQ(TreeShape(1).leaf_size(0), 1U);
  EXPECT_EQ(TreeShape(16400).leaf_size(0), 16400U);
  EXPECT_EQ(TreeShape(16401).leaf_size(0), 16400U);
  EXPECT_EQ(TreeShape(16401).leaf_size(1), 1U);
  for (const std::uint64_t size : {~std::uint64_t{0}, (std::uint64_t{1} << 32U) + 1}) {
    const TreeShape shape(size);
    EXPECT_EQ((shape.leaf_count() - 1) * kLeafSize + shape.leaf_size(shape.leaf_count() - 1), size);
  }
}

TEST(TreeShape, StoresNodesLevelByLevelWithoutGaps) {
  const TreeShape shape(16384 * 16400 + 1);
  EXPECT_EQ(shape.node_offset(0, 0), 0U);
  EXPECT_EQ(shape.node_offset(0, 128), 128 * kNodeSize);
  EXPECT_EQ(shape.node_offset(1, 0), 129 * kNodeSize);
  EXPECT_EQ(shape.node_offset(2, 0), 131 * kNodeSize);
  EXPECT_EQ(shape.stored_size(), 132 * kNodeSize);
}

// The tree of FORMAT.md §4 as one would write it down first: whole levels, one after the other.
struct NaiveTree {
  explicit NaiveTree(Bytes stream) {
    std::vector<Digest> level;
    do {
      const Bytes leaf = stream.first(std::min<std::size_t>(stream.size(), 16400));
      level.push_back(hash(0, leaf));
      stream = stream.subspan(leaf.size());
    } while (!stream.empty());
    leaves = level;
    while (level.size() > 1) {
      std::vector<Digest> next;
      while (level.size() % 128 != 0) level.push_back(Digest{});
      for (std::size_t i = 0; i < level.size(); i += 128) {
        ByteVector node;
        for (std::size_t j = i; j < i + 128; ++j) {
          node.insert(node.end(), level[j].bytes.begin(), level[j].bytes.end());
        }
        next.push_back(hash(1, node));
        stored.insert(stored.end(), node.begin(), node.end());
      }
      level = next;
    }
    root = level[0];
  }
  static Digest hash(std::uint8_t tag, Bytes bytes) {
    ByteVector message = {tag};
    message.insert(message.end(), bytes.begin(), bytes.end());
    return crypto::sha256(message);
  }
  std::vector<Digest> leaves;
  ByteVector stored;
  Digest root;
};

// Streams of tiny content: the leaf digests are real, the leaves are mostly the same.
ByteVector stream_of(std::size_t size) {
  ByteVector stream(size);
  for (std::size_t i = 0; i < size; i += 1000) stream[i] = static_cast<std::uint8_t>(i / 1000);
  return stream;
}

struct Built {
  ByteVector stored;
  Digest root;
};
Built build(Bytes stream, bool backwards) {
  TreeBuilder builder(stream.size());
  const TreeShape& shape = builder.shape();
  Built built{ByteVector(shape.stored_size()), {}};
  const auto put = [&](std::uint64_t offset, Bytes node) {
    std::copy(node.begin(), node.end(), built.stored.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  const std::uint64_t groups = (shape.leaf_count() + kFanOut - 1) / kFanOut;
  for (std::uint64_t i = 0; i < groups; ++i) {
    const std::uint64_t group = backwards ? groups - 1 - i : i;
    std::vector<Digest> leaves;
    const std::uint64_t end = std::min<std::uint64_t>(shape.leaf_count(), (group + 1) * kFanOut);
    for (std::uint64_t leaf = group * kFanOut; leaf < end; ++leaf) {
      leaves.push_back(leaf_digest(stream.subspan(leaf * kLeafSize, shape.leaf_size(leaf))));
    }
    const auto node = builder.add_group(group, leaves);
    if (shape.level_count() != 0) put(shape.node_offset(0, group), node);
  }
  const auto finished = builder.finish();
  for (const auto& node : finished.upper_nodes) put(node.offset, node.bytes);
  built.root = finished.root;
  return built;
}

TEST(TreeBuilder, AgreesWithANaiveTreeInAnyOrderOfGroups) {
  for (const unsigned size : {0U, 1U, 16399U, 16400U, 16401U, 127U * 16400, 128U * 16400,
                              128U * 16400 + 1, 129U * 16400, 129U * 16400 + 1, 300U * 16400 - 7}) {
    const ByteVector stream = stream_of(size);
    const NaiveTree naive(stream);
    for (const bool backwards : {false, true}) {
      const Built built = build(stream, backwards);
      EXPECT_EQ(built.root, naive.root) << size;
      EXPECT_TRUE(built.stored == naive.stored) << size;
    }
  }
}

// A tree of three levels whose leaves are made up: nothing but digests is stored.
struct DeepTree {
  static constexpr std::uint64_t kLeaves = 128 * 128 + 3;
  static constexpr std::uint64_t kSize = kLeaves * kLeafSize - 100;
  static Digest leaf(std::uint64_t i) {
    Digest digest;
    digest.bytes[0] = static_cast<std::uint8_t>(i);
    digest.bytes[1] = static_cast<std::uint8_t>(i >> 8U);
    return digest;
  }
  DeepTree() {
    TreeBuilder builder(kSize);
    stored.resize(builder.shape().stored_size());
    for (std::uint64_t group = 0; group * kFanOut < kLeaves; ++group) {
      std::vector<Digest> leaves;
      for (std::uint64_t i = group * kFanOut; i < std::min(kLeaves, (group + 1) * kFanOut); ++i) {
        leaves.push_back(leaf(i));
      }
      put(builder.shape().node_offset(0, group), builder.add_group(group, leaves));
    }
    const auto finished = builder.finish();
    for (const auto& node : finished.upper_nodes) put(node.offset, node.bytes);
    root = finished.root;
  }
  void put(std::uint64_t offset, Bytes node) {
    std::copy(node.begin(), node.end(), stored.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  ByteVector stored;
  Digest root;
};

TEST(TreeReader, GivesEveryLeafOfADeepTreeInAnyOrder) {
  const DeepTree tree;
  const MemorySource source(tree.stored);
  TreeReader reader(source, 0, DeepTree::kSize, tree.root);
  for (std::uint64_t i = 0; i < DeepTree::kLeaves; ++i) {
    const std::uint64_t leaf = i * 7919 % DeepTree::kLeaves;
    const auto digest = reader.leaf(leaf);
    ASSERT_THAT(digest, Succeeds());
    ASSERT_EQ(*digest, DeepTree::leaf(leaf));
  }
}

TEST(TreeReader, RefusesATamperedNodeAtEachLevel) {
  const DeepTree tree;
  const TreeShape shape(DeepTree::kSize);
  ASSERT_EQ(shape.level_count(), 3U);
  for (std::size_t level = 0; level < 3; ++level) {
    for (const std::size_t byte : {std::size_t{0}, kNodeSize / 2, kNodeSize - 1}) {
      ByteVector stored = tree.stored;
      stored[shape.node_offset(level, 0) + byte] ^= 1;
      const MemorySource source(stored);
      TreeReader reader(source, 0, DeepTree::kSize, tree.root);
      EXPECT_THAT(reader.leaf(5), Fails(ErrorCode::kNotAuthentic)) << level << " " << byte;
      // Asking again does not help, nor does a failure spoil what lies elsewhere.
      EXPECT_THAT(reader.leaf(5), Fails(ErrorCode::kNotAuthentic));
      if (level == 0) {
        EXPECT_THAT(reader.leaf(128), Succeeds());
      }
    }
  }
}

TEST(TreeReader, RefusesNodesThatChangedPlaces) {
  const DeepTree tree;
  for (const std::size_t level : {0U, 1U}) {
    ByteVector stored = tree.stored;
    const TreeShape shape(DeepTree::kSize);
    const auto at = [&](std::uint64_t i) {
      return stored.begin() + static_cast<std::ptrdiff_t>(shape.node_offset(level, i));
    };
    std::swap_ranges(at(0), at(1), at(1));
    const MemorySource source(stored);
    TreeReader reader(source, 0, DeepTree::kSize, tree.root);
    EXPECT_THAT(reader.leaf(0), Fails(ErrorCode::kNotAuthentic));
    EXPECT_THAT(reader.leaf(kFanOut), Fails(ErrorCode::kNotAuthentic));
  }
}

TEST(TreeReader, CannotBeMadeToTakeANodeForALeaf) {
  const ByteVector stream = stream_of(129 * kLeafSize);
  const Built built = build(stream, false);
  const MemorySource source(built.stored);
  // One level instead of two: the root would be read as a digest of leaves.
  TreeReader reader(source, 2 * kNodeSize, 2 * kLeafSize, built.root);
  const auto leaf = reader.leaf(0);
  ASSERT_THAT(leaf, Succeeds());  // a node is a node; what stops this is the tag of a leaf
  EXPECT_NE(*leaf, leaf_digest(Bytes(built.stored).first(kNodeSize)));
}

// [F-4.2.3]: signed, and yet not what a reader would compute that has the data.
TEST(TreeReader, RefusesFillingThatIsNotZero) {
  for (const std::size_t byte : {2 * Digest::kSize, kNodeSize - 1}) {
    ByteVector node(kNodeSize);
    node[byte] = 1;
    const MemorySource source(node);
    TreeReader reader(source, 0, 2 * kLeafSize, node_digest(node));
    EXPECT_THAT(reader.leaf(0), Fails(ErrorCode::kMalformed));
    TreeReader longer(source, 0, 128 * kLeafSize, node_digest(node));
    EXPECT_THAT(longer.leaf(0), Succeeds());
  }
}

TEST(TreeReader, FailsWhenNodesAreMissing) {
  const DeepTree tree;
  const MemorySource source(ByteVector(tree.stored.begin(), tree.stored.end() - 1));
  TreeReader reader(source, 0, DeepTree::kSize, tree.root);
  EXPECT_THAT(reader.leaf(0), Fails(ErrorCode::kIo));
}

TEST(TreeReader, NeedsNoNodesForOneLeaf) {
  const MemorySource source({});
  const ByteVector stream = {1, 2, 3};
  TreeReader reader(source, 0, stream.size(), leaf_digest(stream));
  EXPECT_EQ(*reader.leaf(0), leaf_digest(stream));
}

TEST(LeafBuffer, AlignsEveryLeafBehindItsTag) {
  LeafBuffer buffer(5);
  for (std::size_t i = 0; i < buffer.capacity(); ++i) {
    const MutableBytes leaf = buffer.leaf(i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(leaf.data()) % 64, 0U);
    std::fill(leaf.begin(), leaf.end(), static_cast<std::uint8_t>(0xa0 + i));
  }
  for (std::size_t i = 0; i < buffer.capacity(); ++i) {
    const Bytes tagged = buffer.tagged(i, kLeafSize);
    ASSERT_EQ(tagged.size(), kLeafSize + 1);
    EXPECT_EQ(tagged[0], 0);
    EXPECT_EQ(tagged[1], 0xa0 + i);
    EXPECT_EQ(tagged.back(), 0xa0 + i);
    EXPECT_EQ(crypto::sha256(tagged), leaf_digest(buffer.leaf(i)));
  }
}

// A copy would point into the memory of the first.
TEST(LeafBuffer, IsNotCopied) {
  EXPECT_FALSE(std::is_copy_constructible_v<LeafBuffer>);
  EXPECT_FALSE(std::is_copy_assignable_v<LeafBuffer>);
}

}  // namespace
}  // namespace sealpack::bundle
