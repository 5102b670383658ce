// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/program/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace sealpack::nn::program {
namespace {

bool share_bytes(const Block& a, const Block& b) {
  return a.first <= b.last && b.first <= a.last && a.offset < b.offset + b.size &&
         b.offset < a.offset + a.size;
}

std::vector<Block> random_blocks(std::uint32_t seed, std::size_t count, std::uint32_t items) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = static_cast<std::uint32_t>(random() % items);
    const auto last = std::min(items - 1, first + static_cast<std::uint32_t>(random() % 8));
    blocks.push_back({random() % 5000, first, last, 0});
  }
  return blocks;
}

TEST(MemoryPlan, NoTwoBlocksShareBytesAtTheSameTime) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    auto blocks = random_blocks(seed, 120, 60);
    const std::uint64_t size = place_blocks(blocks).size();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i].offset % kArenaAlignment, 0U);
      EXPECT_LE(blocks[i].offset + blocks[i].size, size);
      for (std::size_t k = 0; k < i; ++k) {
        EXPECT_FALSE(share_bytes(blocks[i], blocks[k])) << seed << ": " << i << " and " << k;
      }
    }
  }
}

TEST(MemoryPlan, IsNoSmallerThanWhatIsNeededAtOnceAndNotMuchLarger) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    auto blocks = random_blocks(seed, 120, 60);
    const auto needed = needed_at(blocks, 60);
    const std::uint64_t least = *std::max_element(needed.begin(), needed.end());
    const std::uint64_t size = place_blocks(blocks).size();
    EXPECT_GE(size, least);
    EXPECT_LE(size, least + least / 3);
  }
}

TEST(MemoryPlan, ReusesBytesOfWhatIsOver) {
  std::vector<Block> blocks{{1000, 0, 1, 0}, {1000, 2, 3, 0}, {1000, 4, 9, 0}};
  EXPECT_EQ(place_blocks(blocks).size(), align_up(1000));
}

TEST(MemoryPlan, TakesTheSmallestGapThatHolds) {
  Placement placement;
  placement.add({640, 0, 9, 0});
  placement.add({640, 0, 9, 1280});
  placement.add({640, 0, 9, 2048});
  EXPECT_EQ(placement.find(128, 3, 4), 1920U);
  EXPECT_EQ(placement.find(640, 3, 4), 640U);
  EXPECT_EQ(placement.find(704, 3, 4), 2688U);
  EXPECT_EQ(placement.find(704, 10, 12), 0U);
}

}  // namespace
}  // namespace sealpack::nn::program
