// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/layout.h"

#include "formats/bundle/tree.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using ::testing::ElementsAre;

const sealpack::testing::TestBundle& sample() {
  static const auto made = sealpack::testing::build(sealpack::testing::make_keys());
  return made;
}

std::vector<std::string> paths(const Layout& layout) {
  std::vector<std::string> names;
  for (const Member& member : layout.members) names.push_back(member.path);
  return names;
}

void expect_well_formed(const Layout& layout) {
  std::uint64_t end = 0;
  for (const Member& member : layout.members) {
    EXPECT_EQ(member.header_offset, (end + 511) / 512 * 512);
    EXPECT_EQ(member.data_offset % kAlignment, 0U);
    EXPECT_GE(member.data_offset, member.header_offset + 3 * kTarBlock);
    EXPECT_EQ(member_headers(member).size(), member.data_offset - member.header_offset);
    end = member.data_offset + member.size;
  }
  EXPECT_EQ(layout.file_size, (end + 511) / 512 * 512 + kEndMark);
}

TEST(Layout, ListsTheMembersInTheirOrder) {
  EXPECT_THAT(paths(sample().layout),
              ElementsAre("sealpack/head", "sealpack/content", "sealpack/tree", "public/empty.txt",
                          "public/model.onnx", "public/more/b.bin", "sealed/extra.bin",
                          "sealed/model.safetensors"));
}

TEST(Layout, StartsDataAtMultiplesOf4096WithoutGaps) {
  expect_well_formed(sample().layout);
  EXPECT_EQ(sample().layout.members[0].data_offset, kHeadOffset);
}

TEST(Layout, PlacesTreesOneBehindTheOther) {
  const Layout& layout = sample().layout;
  std::uint64_t next = layout.members[2].data_offset;
  for (std::size_t i = 0; i < layout.public_tree_offsets.size(); ++i) {
    EXPECT_EQ(layout.public_tree_offsets[i], next);
    next += TreeShape(sample().content.public_files[i].size).stored_size();
  }
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < layout.segments.size(); ++i) {
    std::uint64_t data = layout.members[6 + i].data_offset;
    for (std::size_t j = 0; j < layout.segments[i].size(); ++j) {
      const auto& place = layout.segments[i][j];
      EXPECT_EQ(place.number, number++);
      EXPECT_EQ(place.data_offset, data);
      EXPECT_EQ(place.tree_offset, next);
      EXPECT_EQ(place.sealed_size, crypto::SegmentCipher::sealed_size(
                                       sample().content.sealed_files[i].segments[j].size));
      data += place.sealed_size;
      next += TreeShape(place.sealed_size).stored_size();
    }
  }
  EXPECT_EQ(next, layout.members[2].data_offset + layout.members[2].size);
  EXPECT_EQ(sample().layout.members[2].size, 2 * kNodeSize);
}

TEST(Layout, HasTheContentWhereContentOffsetSays) {
  for (std::uint32_t head = kMinHeadSize; head <= kMaxHeadSize; head *= 2) {
    Content content = sample().content;
    content.head_size = head;
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{999}, kMaxContentSize}) {
      const Layout layout = layout_of(content, size).value();
      EXPECT_EQ(layout.members[1].data_offset, content_offset(head));
      EXPECT_EQ(layout.members[0].data_offset, kHeadOffset);
      expect_well_formed(layout);
    }
  }
}

TEST(Layout, StaysWellFormedForEveryLengthOfPathAndSize) {
  for (std::size_t length = 1; length <= 1000; length += 7) {
    Content content;
    std::string path;
    while (path.size() < length) path += path.size() % 200 == 199 ? '/' : 'a';
    content.public_files = {{path, length, {}}, {path + "b", std::uint64_t{1} << 40U, {}}};
    expect_well_formed(layout_of(content, 300 + length).value());
  }
}

TEST(Layout, StaysWellFormedForEverySizeOfPaddingAndHeader) {
  for (std::size_t length = 3400; length < 3700; ++length) {
    // Longer than a manifest allows: the headers fill their page to the last byte.
    expect_well_formed([&] {
      Content content;
      content.public_files = {{std::string(length, 'p'), 1, {}}};
      return layout_of(content, 512 * (length % 9) + length).value();
    }());
  }
}

TEST(Layout, RefusesABundleThatNobodyCouldHold) {
  Content content;
  for (std::size_t i = 0; i < kMaxFiles; ++i) {
    content.public_files.push_back({"f" + std::to_string(100000 + i), kMaxFileSize, {}});
  }
  EXPECT_THAT(layout_of(content, 1), Fails(ErrorCode::kLimit));
}

TEST(MemberHeaders, HoldTwoUstarHeadersWithChecksums) {
  const ByteVector headers = member_headers(sample().layout.members[4]);
  const auto check = [&](std::size_t at) {
    const Bytes block = Bytes(headers).subspan(at, 512);
    unsigned sum = 8 * ' ';
    for (std::size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0U : block[i];
    EXPECT_EQ(std::stoul(std::string(as_text(block.subspan(148, 6))), nullptr, 8), sum);
    EXPECT_EQ(as_text(block.subspan(257, 6)), std::string_view("ustar\0", 6));
    return std::string(as_text(block.first(100))).c_str() + std::string();
  };
  EXPECT_EQ(check(0), "PaxHeader");
  EXPECT_EQ(check(headers.size() - 512), "public/model.onnx");
}

}  // namespace
}  // namespace sealpack::bundle
