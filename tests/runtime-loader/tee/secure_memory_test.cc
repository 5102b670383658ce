// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/secure_memory.h"

#include <algorithm>
#include <random>

#include "tests/testing/result_matchers.h"

namespace sealpack::tee {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

class SecureMemoryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { MemoryFigures::open_files(); }
};

TEST_F(SecureMemoryTest, GivesAlignedBlocksThatDoNotOverlap) {
  SecureMemory memory(~std::uint64_t{0}, 0, false);
  std::vector<MutableBytes> blocks;
  for (const std::size_t size : {1U, 63U, 64U, 65U, 4096U, 100000U, 0U}) {
    const auto block = memory.allocate(size);
    ASSERT_THAT(block, Succeeds());
    EXPECT_EQ(block->size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block->data()) % 64, 0U);
    std::fill(block->begin(), block->end(), static_cast<std::uint8_t>(blocks.size() + 1));
    blocks.push_back(*block);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_TRUE(std::all_of(blocks[i].begin(), blocks[i].end(), [&](std::uint8_t byte) {
      return byte == static_cast<std::uint8_t>(i + 1);
    }));
    memory.release(blocks[i]);
  }
}

TEST_F(SecureMemoryTest, WipesWhatComesBackAndUsesItAgain) {
  SecureMemory memory(~std::uint64_t{0}, 0, false);
  const MutableBytes first = *memory.allocate(5000);
  std::fill(first.begin(), first.end(), std::uint8_t{7});
  memory.release(first);
  EXPECT_TRUE(std::all_of(first.begin(), first.end(), [](std::uint8_t byte) { return byte == 0; }));
  EXPECT_EQ(memory.allocate(5000)->data(), first.data());
}

TEST_F(SecureMemoryTest, StopsAtTheLimitAndGoesOnAfterARelease) {
  const std::uint64_t limit = MemoryFigures::writable() + 4 * kMiB;
  SecureMemory memory(limit, kMiB, false);
  EXPECT_LT(memory.available(), 4 * kMiB);
  EXPECT_GE(memory.available(), 3 * kMiB - 4096);
  const MutableBytes block = *memory.allocate(2 * kMiB);
  EXPECT_THAT(memory.allocate(3 * kMiB), Fails(ErrorCode::kLimit));
  EXPECT_THAT(memory.allocate(~std::size_t{0}), Fails(ErrorCode::kLimit));
  memory.release(block);
  EXPECT_THAT(memory.allocate(3 * kMiB - 8192), Succeeds());
}

TEST_F(SecureMemoryTest, GivesEverythingThatIsAvailable) {
  SecureMemory memory(MemoryFigures::writable() + 4 * kMiB, kMiB, false);
  const auto block = memory.allocate(memory.available());
  ASSERT_THAT(block, Succeeds());
  EXPECT_LT(memory.available(), 4096U);
  memory.release(*block);
  EXPECT_EQ(memory.available() / 4096, block->size() / 4096);
}

TEST_F(SecureMemoryTest, JoinsNeighboursAgain) {
  SecureMemory memory(~std::uint64_t{0}, 0, false);
  std::vector<MutableBytes> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(*memory.allocate(1000));
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(1));
  std::uint8_t* lowest = blocks[0].data();
  for (const MutableBytes block : blocks) lowest = std::min(lowest, block.data());
  for (const MutableBytes block : blocks) memory.release(block);
  EXPECT_EQ(memory.allocate(100 * 1024)->data(), lowest);
}

TEST(MemoryCap, LeavesWhatIsNotSpokenFor) {
  EXPECT_EQ((MemoryCap{0, 1, 2, 3}.data_limit()), ~std::uint64_t{0});
  EXPECT_EQ((MemoryCap{100, 10, 20, 30}.data_limit()), 40U);
  EXPECT_EQ((MemoryCap{59, 10, 20, 30}.data_limit()), 0U);
}

TEST_F(SecureMemoryTest, FiguresAreThere) {
  EXPECT_GT(MemoryFigures::anonymous(), 4096U);
  EXPECT_GT(MemoryFigures::writable(), 4096U);
  EXPECT_GT(MemoryFigures::text(), 4096U);
  EXPECT_GT(MemoryFigures::anonymous_elsewhere(), 0U);
}

}  // namespace
}  // namespace sealpack::tee
