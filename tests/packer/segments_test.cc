// SPDX-License-Identifier: Apache-2.0
// Where sealed files are cut (FORMAT.md §7.4).
#include "packer/core/data_writer.h"

#include "tests/packer/packing.h"

namespace sealpack::packer {
namespace {

using namespace testing;
using bundle::SegmentKind;
using models::SourceRange;

constexpr std::uint64_t kCut = bundle::kMaxSegmentSize - 16384;

models::OutputFile file_of(const std::vector<std::uint64_t>& sizes, std::uint64_t header_size = 0) {
  models::OutputFile file{"f", {}, header_size};
  for (const std::uint64_t size : sizes) file.pieces.emplace_back(SourceRange{0, 0, size});
  return file;
}

// The sizes of the data segments behind a header of `header_size`.
std::vector<std::uint64_t> cuts(const std::vector<std::uint64_t>& sizes,
                                std::uint64_t header_size = 0) {
  const models::OutputFile file = file_of(sizes, header_size);
  const auto result = cut_segments(file);
  EXPECT_THAT(result, Succeeds());
  std::vector<std::uint64_t> out;
  std::uint64_t total = 0;
  for (const SegmentCut& cut : *result) {
    total += cut.size;
    if (total == header_size && cut.kind == SegmentKind::kHeader) continue;
    EXPECT_EQ(cut.kind, SegmentKind::kData);
    EXPECT_GE(cut.size, 1U);
    EXPECT_LE(cut.size, kCut);
    out.push_back(cut.size);
  }
  EXPECT_EQ(total, models::total_size(file));
  return out;
}

using Sizes = std::vector<std::uint64_t>;

TEST(Segments, OfAnEmptyFileAreNone) {
  EXPECT_EQ(cuts({}), Sizes{});
  EXPECT_EQ(cuts({0, 0}), Sizes{});
}

TEST(Segments, HoldExactlyTheCutSize) {
  EXPECT_EQ(cuts({kCut}), Sizes{kCut});
  EXPECT_EQ(cuts({kCut - 1}), Sizes{kCut - 1});
  EXPECT_EQ(cuts({kCut + 1}), (Sizes{kCut, 1}));
  EXPECT_EQ(cuts({kCut - 1, 1}), Sizes{kCut});
  EXPECT_EQ(cuts({kCut, 1}), (Sizes{kCut, 1}));
  EXPECT_EQ(cuts({1, kCut}), (Sizes{1, kCut}));
}

TEST(Segments, EndWhereATensorEndsIfTheyCan) {
  EXPECT_EQ(cuts({kCut / 2, kCut / 2, kCut / 2}), (Sizes{kCut / 2 * 2, kCut / 2}));
  EXPECT_EQ(cuts({10, kCut - 5, 10}), (Sizes{10, kCut - 5, 10}));
}

TEST(Segments, CutATensorThatIsLargerThanOne) {
  EXPECT_EQ(cuts({100, 3 * kCut + 7, 100}), (Sizes{100, kCut, kCut, kCut, 107}));
  EXPECT_EQ(cuts({3 * kCut, 100}), (Sizes{kCut, kCut, kCut, 100}));
  EXPECT_EQ(cuts({bundle::kMaxFileSize}).size(), (bundle::kMaxFileSize + kCut - 1) / kCut);
}

TEST(Segments, GatherTinyAndEmptyPieces) {
  EXPECT_EQ(cuts(Sizes(100000, 1)), Sizes{100000});
  EXPECT_EQ(cuts({0, 5, 0, 0, kCut, 0}), (Sizes{5, kCut}));
}

TEST(Segments, GiveTheHeaderOneOfItsOwn) {
  EXPECT_EQ(cuts({100, 50}, 100), Sizes{50});
  EXPECT_EQ(cuts({60, 60, 30}, 100), Sizes{50});  // the header ends within a piece
  EXPECT_EQ(cuts({40, 40, 20, 0, 5}, 100), Sizes{5});
  EXPECT_EQ(cuts({100}, 100), Sizes{});
  EXPECT_EQ(cuts({100, kCut}, 100), Sizes{kCut});
  EXPECT_EQ(cuts({kCut + 100}, 100), Sizes{kCut});
}

TEST(Segments, TakeALargeHeaderAndRefuseOneBeyondTheLimit) {
  constexpr std::uint64_t kMaxHeader = 4 * bundle::kMaxSegmentSize;
  EXPECT_EQ(cuts({kMaxHeader, 1}, kMaxHeader), Sizes{1});
  EXPECT_THAT(cut_segments(file_of({kMaxHeader + 1, 1}, kMaxHeader + 1)),
              FailsWith(ErrorCode::kLimit, HasSubstr("a header of 268435457 bytes")));
}

TEST(Segments, FollowTheRulesForRandomPieces) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 500; ++round) {
    Sizes sizes;
    for (std::uint64_t i = random() % 20; i > 0; --i) {
      sizes.push_back(random() % 3 == 0 ? random() % (3 * kCut) : random() % 1000);
    }
    std::uint64_t total = 0;
    for (const std::uint64_t size : sizes) total += size;
    const std::uint64_t header = std::min<std::uint64_t>(total, random() % 2000);
    (void)cuts(sizes, header);
  }
}

}  // namespace
}  // namespace sealpack::packer
