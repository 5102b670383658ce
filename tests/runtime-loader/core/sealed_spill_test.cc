// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/sealed_spill.h"

#include <algorithm>

#include "tests/runtime-loader/core/core_testing.h"
#include "tests/runtime-loader/core/host_memory.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using testing::pattern;
using testing::VectorMemory;

TEST(SealedSpill, GivesBackBlocksOfAnySize) {
  VectorMemory outside(4U << 20U);
  SealedSpill spill(outside);
  for (const std::size_t size : {0U, 1U, 16383U, 16384U, 16385U, 100000U}) {
    const ByteVector plain = pattern(size, static_cast<unsigned>(size));
    ASSERT_THAT(spill.store(size, plain), Succeeds());
    ByteVector back(size);
    ASSERT_THAT(spill.load(size, back), Succeeds());
    EXPECT_EQ(back, plain);
  }
}

TEST(SealedSpill, ShowsNothingOfWhatItStores) {
  VectorMemory outside(1U << 20U);
  SealedSpill spill(outside);
  const ByteVector plain(40000, 0x5a);
  ASSERT_THAT(spill.store(1, plain), Succeeds());
  const ByteVector run(8, 0x5a);
  EXPECT_EQ(std::search(outside.bytes.begin(), outside.bytes.end(), run.begin(), run.end()),
            outside.bytes.end());
}

TEST(SealedSpill, RefusesAnyChangedByte) {
  VectorMemory outside(1U << 20U);
  SealedSpill spill(outside);
  const ByteVector plain = pattern(20000, 3);
  ASSERT_THAT(spill.store(1, plain), Succeeds());
  for (std::size_t at = 0; at < 20000 + 32; at += 997) {
    outside.bytes[at] ^= 1;
    ByteVector back(plain.size(), 0xee);
    EXPECT_THAT(spill.load(1, back), Fails(ErrorCode::kNotAuthentic)) << at;
    EXPECT_TRUE(std::all_of(back.begin(), back.end(), [](auto byte) { return byte == 0; })) << at;
    outside.bytes[at] ^= 1;
  }
  ByteVector back(plain.size());
  EXPECT_THAT(spill.load(1, back), Succeeds());
}

TEST(SealedSpill, RefusesAReplayOfAnOlderBlock) {
  VectorMemory outside(1U << 20U);
  SealedSpill spill(outside);
  ASSERT_THAT(spill.store(1, pattern(5000, 1)), Succeeds());
  const ByteVector older = outside.bytes;
  ASSERT_THAT(spill.store(1, pattern(5000, 2)), Succeeds());
  EXPECT_NE(outside.bytes, older);
  outside.bytes = older;
  ByteVector back(5000);
  EXPECT_THAT(spill.load(1, back), Fails(ErrorCode::kNotAuthentic));
}

TEST(SealedSpill, RefusesBlocksThatChangedPlaces) {
  VectorMemory outside(1U << 20U);
  SealedSpill spill(outside);
  const ByteVector same = pattern(1000, 1);
  ASSERT_THAT(spill.store(1, same), Succeeds());
  const ByteVector first = outside.bytes;
  ASSERT_THAT(spill.store(2, same), Succeeds());
  // Block 1 is at 0, block 2 behind it, both 1016 bytes in rooms of 1024.
  std::swap_ranges(outside.bytes.begin(), outside.bytes.begin() + 1016,
                   outside.bytes.begin() + 1024);
  ByteVector back(1000);
  EXPECT_THAT(spill.load(1, back), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(spill.load(2, back), Fails(ErrorCode::kNotAuthentic));
}

TEST(SealedSpill, NeverSealsTheSameBytesTheSameWay) {
  VectorMemory outside(1U << 16U);
  SealedSpill spill(outside);
  ASSERT_THAT(spill.store(1, pattern(1000, 1)), Succeeds());
  const ByteVector first = outside.bytes;
  ASSERT_THAT(spill.store(1, pattern(1000, 1)), Succeeds());
  EXPECT_NE(first, outside.bytes);
}

TEST(SealedSpill, DoesNotOpenUnderTheKeyOfAnother) {
  VectorMemory outside(1U << 16U);
  SealedSpill spill(outside);
  VectorMemory elsewhere(1U << 16U);
  SealedSpill other(elsewhere);
  ASSERT_THAT(spill.store(1, pattern(1000, 1)), Succeeds());
  ASSERT_THAT(other.store(1, pattern(1000, 1)), Succeeds());
  outside.bytes = elsewhere.bytes;
  ByteVector back(1000);
  EXPECT_THAT(spill.load(1, back), Fails(ErrorCode::kNotAuthentic));
}

TEST(SealedSpill, UsesRoomAgainAndSaysWhenThereIsNone) {
  VectorMemory outside(64U << 10U);
  SealedSpill spill(outside);
  for (std::uint64_t round = 0; round < 100; ++round) {
    for (std::uint64_t block = 0; block < 3; ++block) {
      ASSERT_THAT(spill.store(block, pattern(20000, 1)), Succeeds()) << round;
    }
    spill.forget(round % 3);
  }
  EXPECT_THAT(spill.store(7, pattern(60000, 1)), Fails(ErrorCode::kLimit));
  for (std::uint64_t block = 0; block < 3; ++block) spill.forget(block);
  EXPECT_THAT(spill.store(7, pattern(60000, 1)), Succeeds());
}

TEST(SealedSpill, KnowsNothingOfABlockThatWasForgottenOrFailed) {
  VectorMemory outside(64U << 10U);
  SealedSpill spill(outside);
  ASSERT_THAT(spill.store(1, pattern(1000, 1)), Succeeds());
  spill.forget(1);
  ByteVector back(1000);
  EXPECT_THAT(spill.load(1, back), Fails(ErrorCode::kInternal));
  outside.fails = true;
  EXPECT_THAT(spill.store(2, pattern(1000, 1)), Fails(ErrorCode::kIo));
  outside.fails = false;
  EXPECT_THAT(spill.load(2, back), Fails(ErrorCode::kNotAuthentic));
}

}  // namespace
}  // namespace sealpack::loader
