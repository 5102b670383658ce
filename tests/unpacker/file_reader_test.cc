// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/file_reader.h"

#include <random>
#include <thread>

#include "formats/bundle/encode.h"
#include "formats/bundle/tree.h"
#include "tests/testing/result_matchers.h"
#include "tests/unpacker/whole_bundle.h"

namespace sealpack::unpacker {
namespace {

using sealpack::testing::build;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_keys;
using sealpack::testing::memory;
using sealpack::testing::open_with_slot;
using sealpack::testing::pattern;
using sealpack::testing::Recipe;
using sealpack::testing::Succeeds;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;
using ::testing::Each;
using ::testing::HasSubstr;

// Streams of more than one batch of leaves, and sizes around the boundaries of chunks.
Recipe larger() {
  Recipe recipe;
  recipe.public_files = {{"a.bin", pattern(20 * 16400 + 7, 1)}, {"b.bin", pattern(16400, 2)}};
  recipe.sealed_files = {{"m.safetensors",
                          bundle::SealedKind::kModel,
                          {pattern(100, 3), pattern(20 * 16384, 4), pattern(1, 5),
                           pattern(16383, 6), pattern(16385, 7), pattern(3 * 16384 + 9, 8)}}};
  return recipe;
}

struct Opened {
  explicit Opened(const Recipe& made_of)
      : recipe(made_of),
        made(build(keys, recipe)),
        open(open_with_slot(memory(made.bytes()), keys)) {}
  Recipe recipe;
  TestKeys keys = make_keys();
  TestBundle made;
  Result<OpenBundle> open;
};

// The last chunk of a segment may be empty: no read opens it, and it must be right all the same.
TEST(FileReader, StandsOnBundlesWhoseEveryChunkOpens) {
  Opened bundle(larger());
  const ByteVector bytes = bundle.made.bytes();
  const bundle::Content& content = bundle.made.content;
  for (std::size_t i = 0; i < content.sealed_files[0].segments.size(); ++i) {
    const bundle::Segment& segment = content.sealed_files[0].segments[i];
    const auto& place = bundle.made.layout.segments[0][i];
    const auto cipher = crypto::SegmentCipher::open(
        bundle.keys.content, {segment.salt, segment.commitment},
        bundle::segment_context(content.uuid, place.number, segment.kind, segment.size));
    ASSERT_THAT(cipher, Succeeds());
    Bytes sealed = Bytes(bytes).subspan(place.data_offset, place.sealed_size);
    for (std::uint64_t chunk = 0; !sealed.empty(); ++chunk) {
      const std::size_t size = std::min(sealed.size(), crypto::SegmentCipher::kSealedChunk);
      ByteVector plain(size - crypto::SegmentCipher::kTagSize);
      EXPECT_THAT(cipher->open_chunk(chunk, sealed.first(size), plain), Succeeds());
      sealed = sealed.subspan(size);
    }
  }
}

TEST(FileReader, GivesAnyRangeOfAnyFile) {
  Opened bundle(larger());
  ASSERT_THAT(bundle.open, Succeeds());
  FileReader reader(*bundle.open);
  std::mt19937 random(1);
  for (std::uint32_t file = 0; file < 3; ++file) {
    const ByteVector plain = bundle.made.plaintext(bundle.recipe, file);
    for (int i = 0; i < 300; ++i) {
      const std::size_t offset = random() % (plain.size() + 1);
      const std::size_t most = i % 3 == 0 ? plain.size() - offset : std::size_t{40000};
      const std::size_t size = std::min(plain.size() - offset, random() % (most + 1));
      ByteVector out(size, 0xee);
      ASSERT_THAT(reader.read(file, offset, out), Succeeds());
      ASSERT_TRUE(
          std::equal(out.begin(), out.end(), plain.begin() + static_cast<std::ptrdiff_t>(offset)))
          << file << " " << offset << " " << size;
    }
  }
}

TEST(FileReader, CrossesEveryBoundaryOfChunksAndSegments) {
  Opened bundle(larger());
  FileReader reader(*bundle.open);
  const ByteVector plain = bundle.made.plaintext(bundle.recipe, 2);
  std::vector<std::size_t> boundaries;
  std::size_t start = 0;
  for (const ByteVector& segment : bundle.recipe.sealed_files[0].segments) {
    for (std::size_t chunk = 0; chunk <= segment.size(); chunk += 16384) {
      boundaries.push_back(start + chunk);
    }
    start += segment.size();
  }
  for (const std::size_t boundary : boundaries) {
    for (std::size_t offset = boundary < 2 ? 0 : boundary - 2; offset <= boundary + 2; ++offset) {
      for (std::size_t size = 0; size <= 4; ++size) {
        if (offset + size > plain.size()) continue;
        ByteVector out(size);
        ASSERT_THAT(reader.read(2, offset, out), Succeeds());
        ASSERT_TRUE(std::equal(out.begin(), out.end(),
                               plain.begin() + static_cast<std::ptrdiff_t>(offset)));
      }
    }
  }
}

// Where memory is scarce a reader takes few leaves at once, and still refuses every bad one.
TEST(FileReader, GivesTheSameBytesWithFewerLeavesAtOnce) {
  Opened bundle(larger());
  ByteVector bytes = bundle.made.bytes();
  for (const std::size_t leaves : {0U, 1U, 2U, 7U, 8U, 16U, 99U}) {
    FileReader reader(*bundle.open, leaves);
    for (std::uint32_t file = 0; file < 3; ++file) {
      const ByteVector expected = bundle.made.plaintext(bundle.recipe, file);
      ByteVector out(expected.size());
      ASSERT_THAT(reader.read(file, 0, out), Succeeds()) << leaves;
      EXPECT_EQ(out, expected) << leaves;
    }
  }
  bytes[bundle.made.layout.segments[0][1].data_offset + 9 * 16400] ^= 1;
  const auto changed = open_with_slot(memory(bytes), bundle.keys);
  for (const std::size_t leaves : {1U, 7U, 16U}) {
    ByteVector out(20 * 16384);
    FileReader reader(*changed, leaves);
    EXPECT_THAT(reader.read(2, 0, out), Fails(ErrorCode::kNotAuthentic)) << leaves;
  }
}

TEST(FileReader, RefusesRangesOutsideTheFile) {
  Opened bundle{Recipe()};
  FileReader reader(*bundle.open);
  const auto read = [&](std::uint32_t file, std::uint64_t offset, std::size_t size) {
    ByteVector out(size, 0xee);
    Status status = reader.read(file, offset, out);
    if (!status.ok()) {
      EXPECT_THAT(out, Each(0));
    }
    return status;
  };
  EXPECT_THAT(read(0, 0, 0), Succeeds());  // an empty file
  EXPECT_THAT(read(0, 0, 1), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(0, 1, 0), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(1, 700, 0), Succeeds());
  EXPECT_THAT(read(1, 699, 2), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(1, 701, 0), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(1, ~std::uint64_t{0}, 2), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(4, 0, 90 + 2 * 16384), Succeeds());
  EXPECT_THAT(read(4, 0, 90 + 2 * 16384 + 1), Fails(ErrorCode::kUsage));
  EXPECT_THAT(read(5, 0, 0), FailsWith(ErrorCode::kUsage, HasSubstr("no file 5")));
  EXPECT_THAT(read(~0U, 0, 0), Fails(ErrorCode::kUsage));
}

TEST(FileReader, ReadsPublicFilesAloneWithoutAKey) {
  const TestKeys keys = make_keys();
  const TestBundle made = build(keys);
  const auto verified = UnverifiedBundle::open(memory(made.bytes()))
                            .value()
                            .verify(sealpack::testing::trust_in(keys), {})
                            .value();
  FileReader reader(verified);
  ByteVector out(60, 0xee);
  EXPECT_THAT(reader.read(2, 0, out), Succeeds());
  EXPECT_EQ(out, Recipe().public_files[2].bytes);
  EXPECT_THAT(reader.read(3, 0, MutableBytes(out).first(50)), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(std::vector(out.begin(), out.begin() + 50), Each(0));
}

TEST(FileReader, PutsOriginalsTogetherFromTheirExtents) {
  Opened bundle{Recipe()};
  const bundle::OriginalFile& original = bundle.made.content.originals[0];
  ASSERT_EQ(original.size, 750U);
  ByteVector plain = bundle.made.plaintext(bundle.recipe, 1);
  const ByteVector sealed = bundle.made.plaintext(bundle.recipe, 3);
  plain.insert(plain.end(), sealed.begin(), sealed.end());
  FileReader reader(*bundle.open);
  for (std::size_t offset = 0; offset <= plain.size(); offset += 10) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, plain.size() - offset}) {
      if (size > plain.size() - offset) continue;
      ByteVector out(size);
      ASSERT_THAT(reader.read_original(original, offset, out), Succeeds());
      ASSERT_TRUE(
          std::equal(out.begin(), out.end(), plain.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
  }
}

TEST(FileReader, LeavesNothingOfAnOriginalItCouldNotReadWhole) {
  Opened bundle{Recipe()};
  const bundle::OriginalFile& original = bundle.made.content.originals[0];
  ByteVector bytes = bundle.made.bytes();
  bytes[bundle.made.layout.segments[0][0].data_offset] ^= 1;
  const auto open = open_with_slot(memory(bytes), bundle.keys);
  FileReader reader(*open);
  ByteVector out(original.size, 0xee);
  EXPECT_THAT(reader.read_original(original, 0, out), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(out, Each(0));
  ByteVector outside(original.size, 0xee);
  EXPECT_THAT(reader.read_original(original, 1, outside), Fails(ErrorCode::kUsage));
  EXPECT_THAT(outside, Each(0));
}

// Chunks before the bad one were decrypted already; none of them may stay.
TEST(FileReader, ZeroesEverythingWhenOneChunkIsBad) {
  Opened bundle(larger());
  for (const std::uint64_t chunk : {0U, 7U, 15U, 16U, 19U}) {
    ByteVector bytes = bundle.made.bytes();
    bytes[bundle.made.layout.segments[0][1].data_offset + chunk * 16400 + 5] ^= 0x40;
    const auto open = open_with_slot(memory(bytes), bundle.keys);
    ASSERT_THAT(open, Succeeds());
    FileReader reader(*open);
    ByteVector out(100 + 20 * 16384, 0xee);
    EXPECT_THAT(reader.read(2, 0, out), Fails(ErrorCode::kNotAuthentic));
    EXPECT_THAT(out, Each(0));
    // The reader goes on to serve what is good.
    ByteVector good(100);
    EXPECT_THAT(reader.read(2, 0, good), Succeeds());
    EXPECT_EQ(good, bundle.recipe.sealed_files[0].segments[0]);
  }
}

// Whoever holds the content key can make chunks whose tag is right; the signed tree is what stops
// them.
TEST(FileReader, RefusesAChunkForgedByAnotherHolderOfTheKey) {
  Opened bundle{Recipe()};
  const bundle::Content& content = bundle.made.content;
  const bundle::Segment& segment = content.sealed_files[1].segments[1];
  const auto& place = bundle.made.layout.segments[1][1];
  const auto cipher =
      crypto::SegmentCipher::open(
          bundle.keys.content, {segment.salt, segment.commitment},
          bundle::segment_context(content.uuid, place.number, segment.kind, segment.size))
          .value();
  ByteVector forged(16400);
  cipher.seal_chunk(0, pattern(16384, 99), forged);
  ByteVector plain(16384);
  ASSERT_THAT(cipher.open_chunk(0, forged, plain), Succeeds());
  ByteVector bytes = bundle.made.bytes();
  std::copy(forged.begin(), forged.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(place.data_offset));
  const auto open = open_with_slot(memory(bytes), bundle.keys);
  FileReader reader(*open);
  EXPECT_THAT(reader.read(4, 90, plain), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(plain, Each(0));
  // Nor does a tree that fits the forged chunk help.
  const auto tree =
      sealpack::testing::build_tree(Bytes(bytes).subspan(place.data_offset, place.sealed_size));
  ASSERT_EQ(tree.nodes.size(), 1U);
  std::copy(tree.nodes[0].second.begin(), tree.nodes[0].second.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(place.tree_offset));
  const auto with_tree = open_with_slot(memory(bytes), bundle.keys);
  EXPECT_THAT(FileReader(*with_tree).read(4, 90, plain), Fails(ErrorCode::kNotAuthentic));
}

// The vendor's signature over a root does not replace the tag.
TEST(FileReader, RefusesChunksWhoseLeafIsRightAndWhoseTagIsNot) {
  const TestKeys keys = make_keys();
  Recipe recipe;
  ByteVector garbage;
  recipe.edit_content = [&](bundle::Content& content) {
    garbage = pattern(crypto::SegmentCipher::sealed_size(50).value(), 77);
    content.sealed_files[0].segments[0].root = bundle::leaf_digest(garbage);
  };
  const TestBundle made = build(keys, recipe);
  ByteVector bytes = made.bytes();
  std::copy(garbage.begin(), garbage.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(made.layout.segments[0][0].data_offset));
  const auto open = open_with_slot(memory(bytes), keys);
  ASSERT_THAT(open, Succeeds());
  EXPECT_THAT(sealpack::testing::check_units(open->verified()), Succeeds());
  ByteVector out(50, 0xee);
  EXPECT_THAT(FileReader(*open).read(3, 0, out), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(out, Each(0));
}

// Salt, commitment and context of one segment do not open another.
TEST(FileReader, RefusesSegmentsWithTheHeaderOfAnother) {
  const TestKeys keys = make_keys();
  Recipe recipe;
  recipe.edit_content = [](bundle::Content& content) {
    auto& segments = content.sealed_files[1].segments;
    std::swap(segments[1].salt, segments[2].salt);
    std::swap(segments[1].commitment, segments[2].commitment);
  };
  const auto open = open_with_slot(memory(build(keys, recipe).bytes()), keys);
  ASSERT_THAT(open, Succeeds());
  ByteVector out(1);
  EXPECT_THAT(FileReader(*open).read(4, 0, out), Succeeds());
  EXPECT_THAT(FileReader(*open).read(4, 90, out), Fails(ErrorCode::kKeyUnavailable));
}

TEST(FileReader, ServesManyThreadsWithOneReaderEach) {
  Opened bundle(larger());
  ASSERT_THAT(bundle.open, Succeeds());
  std::vector<std::thread> threads;
  std::array<bool, 4> right{};
  for (unsigned t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      FileReader reader(*bundle.open);
      bool all = true;
      for (std::uint32_t i = 0; i < 12; ++i) {
        const std::uint32_t file = (t + i) % 3;
        const ByteVector plain = bundle.made.plaintext(bundle.recipe, file);
        ByteVector out(plain.size());
        all = all && reader.read(file, 0, out).ok() && out == plain;
      }
      right[t] = all;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(right, Each(true));
}

}  // namespace
}  // namespace sealpack::unpacker
