// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/content.h"

#include <algorithm>

#include "formats/bundle/encode.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

const Content& valid() {
  static const Content content = sealpack::testing::build(sealpack::testing::make_keys()).content;
  return content;
}

struct Refusal {
  const char* why;  // in the message
  std::function<void(Content&)> edit;
  ErrorCode code = ErrorCode::kMalformed;
};

void expect_refusals(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    Content content = valid();
    refusal.edit(content);
    EXPECT_THAT(parse_content(serialize_content(content)),
                FailsWith(refusal.code, HasSubstr(refusal.why)))
        << refusal.why;
  }
}

PublicFile public_file(std::string path) {
  return {std::move(path), 1, {}};
}

TEST(Content, ComesBackAsItWasWritten) {
  const auto parsed = parse_content(serialize_content(valid()));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, valid());
}

TEST(Content, ComesBackWithEveryFieldSet) {
  Content content = valid();
  content.parent = Digest{{1}};
  content.card.redaction = Redaction::kNames;
  content.public_files[0].size = kMaxFileSize;
  content.sealed_files[1].segments[0].size = 4 * kMaxSegmentSize;
  content.sealed_files[1].segments[1].size = kMaxSegmentSize;
  content.head_size = kMaxHeadSize;
  content.card.tensors[0].shape.assign(kMaxDimensions, ~std::uint64_t{0});
  const auto parsed = parse_content(serialize_content(content));
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(*parsed, content);
}

TEST(Content, NeedsNoFiles) {
  Content content;
  content.product = "empty";
  EXPECT_THAT(parse_content(serialize_content(content)), Succeeds());
}

TEST(Content, RefusesEveryTruncation) {
  const ByteVector bytes = serialize_content(valid());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_content(Bytes(bytes).first(size)).ok()) << size;
  }
}

TEST(Content, RefusesAppendedBytes) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    ByteVector bytes = serialize_content(valid());
    bytes.push_back(static_cast<std::uint8_t>(byte));
    EXPECT_THAT(parse_content(bytes), Fails(ErrorCode::kMalformed));
  }
}

// A flipped bit gives another manifest or none; never the same one.
TEST(Content, HasOneEncoding) {
  const ByteVector bytes = serialize_content(valid());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteVector flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto parsed = parse_content(flipped);
    if (!parsed.ok()) continue;
    EXPECT_NE(*parsed, valid()) << bit;
    EXPECT_TRUE(serialize_content(*parsed) == flipped) << bit;
  }
}

TEST(Content, RefusesOtherFormatsAndSuites) {
  ByteVector bytes = serialize_content(valid());
  bytes[1] = 2;
  EXPECT_THAT(parse_content(bytes), FailsWith(ErrorCode::kUnsupported, HasSubstr("format 2")));
  bytes[1] = 1;
  bytes[3] = 2;
  EXPECT_THAT(parse_content(bytes), FailsWith(ErrorCode::kUnsupported, HasSubstr("suite 2")));
}

TEST(Content, RefusesMissingOrImpossibleHeadFields) {
  expect_refusals({
      {"no product", [](Content& c) { c.product.clear(); }},
      {"product is not UTF-8", [](Content& c) { c.product = "\xff"; }},
      {"product has 4097 bytes", [](Content& c) { c.product.assign(4097, 'p'); }},
      {"impossible head size 0", [](Content& c) { c.head_size = 0; }},
      {"impossible head size 32768", [](Content& c) { c.head_size = kMinHeadSize / 2; }},
      {"impossible head size 65537", [](Content& c) { c.head_size = kMinHeadSize + 1; }},
      {"impossible head size 98304", [](Content& c) { c.head_size = kMinHeadSize / 2 * 3; }},
      {"impossible head size 67108864", [](Content& c) { c.head_size = kMaxHeadSize * 2; }},
  });
}

TEST(Content, RefusesBadPathsInEveryList) {
  for (const char* path : {"", "/a", "a/", "a//b", ".", "a/../b", "..", "a\\b", "C:x", "a\nb",
                           "a\xe2\x80\xae"
                           "b",
                           "a.", "a ", "a/b./c", "\xff", "\xc0\xaf"}) {
    expect_refusals({
        {"path", [&](Content& c) { c.public_files[0].path = path; }},
        {"path", [&](Content& c) { c.sealed_files[0].path = path; }},
        {"path", [&](Content& c) { c.originals[0].path = path; }},
        {"path", [&](Content& c) { c.excluded[0].path = path; }},
    });
  }
  expect_refusals({{"path has 1025 bytes",
                    [](Content& c) { c.public_files[0].path = std::string(1025, 'a'); }}});
}

TEST(Content, RefusesPathsOutOfOrderTwiceOrColliding) {
  const auto files = [](std::vector<std::string> paths) {
    return [paths](Content& c) {
      c.public_files.clear();
      c.originals.clear();
      c.card.tensors.clear();
      for (const std::string& path : paths) c.public_files.push_back(public_file(path));
    };
  };
  expect_refusals({
      {"public files are not ascending", files({"b", "a"})},
      {"public files are not ascending", files({"a", "a"})},
      {"case of letters", files({"A", "a"})},
      {"both a file and a folder", files({"a", "a/b"})},
      {"both a file and a folder", files({"A", "a/b"})},
      {"both a file and a folder", files({"a", "a-b", "a/b"})},
      {"sealed files are not ascending",
       [](Content& c) { std::swap(c.sealed_files[0].path, c.sealed_files[1].path); }},
      {"original files are not ascending",
       [](Content& c) { c.originals.push_back(c.originals[0]); }},
      {"excluded files are not ascending", [](Content& c) { c.excluded.push_back(c.excluded[0]); }},
  });
}

TEST(Content, RefusesImpossibleSegments) {
  const auto segment = [](auto edit) {
    return [edit](Content& c) { edit(c.sealed_files[1].segments[1]); };
  };
  expect_refusals({
      {"unknown segment kind", segment([](Segment& s) { s.kind = SegmentKind{0}; })},
      {"unknown segment kind", segment([](Segment& s) { s.kind = SegmentKind{3}; })},
      {"not the first", segment([](Segment& s) { s.kind = SegmentKind::kHeader; })},
      {"empty segment", segment([](Segment& s) { s.size = 0; })},
      {"at most 67108864", segment([](Segment& s) { s.size = kMaxSegmentSize + 1; }),
       ErrorCode::kLimit},
      {"at most 268435456",
       [](Content& c) { c.sealed_files[1].segments[0].size = 4 * kMaxSegmentSize + 1; },
       ErrorCode::kLimit},
      {"unknown kind of sealed file", [](Content& c) { c.sealed_files[0].kind = SealedKind{0}; }},
      {"unknown kind of sealed file", [](Content& c) { c.sealed_files[0].kind = SealedKind{3}; }},
  });
}

TEST(Content, RefusesTooLargeFiles) {
  expect_refusals({
      {"at most", [](Content& c) { c.public_files[2].size = kMaxFileSize + 1; }, ErrorCode::kLimit},
      {"at most", [](Content& c) { c.originals[0].size = kMaxFileSize + 1; }, ErrorCode::kLimit},
  });
}

TEST(Content, RefusesExtentsThatDoNotTileTheOriginal) {
  const auto extents = [](auto edit) { return [edit](Content& c) { edit(c.originals[0]); }; };
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  expect_refusals({
      {"outside the files", extents([](auto& o) { o.extents[0].file = 5; })},
      {"outside the files", extents([](auto& o) { o.extents[0].file = 0; })},  // an empty file
      {"outside the files", extents([](auto& o) { o.extents[0].offset = 1; })},
      {"outside the files", extents([=](auto& o) { o.extents[0].offset = kHuge; })},
      {"outside the files", extents([=](auto& o) { o.extents[0].size = kHuge; })},
      {"outside the files", extents([](auto& o) {
         o.extents.push_back({1, 0, 0});
       })},
      {"cover", extents([](auto& o) { o.extents.pop_back(); })},
      {"cover", extents([](auto& o) {
         o.extents.push_back({1, 0, 1});
       })},
      {"cover", extents([](auto& o) { o.size += 1; })},
      {"cover", extents([](auto& o) { o.size -= 1; })},
  });
}

// A small bundle must not unpack into a full disk.
TEST(Content, RefusesOriginalsLargerThanWhatIsStored) {
  expect_refusals({{"larger than what the bundle stores", [](Content& c) {
                      while (c.originals.size() < 50) {
                        c.originals.push_back(c.originals[0]);
                        c.originals.back().path = "z" + std::to_string(100 + c.originals.size());
                      }
                    }}});
}

TEST(Content, RefusesAnImpossibleCard) {
  expect_refusals({
      {"unknown redaction", [](Content& c) { c.card.redaction = Redaction{3}; }},
      {"lies in no file", [](Content& c) { c.card.tensors[0].file = 5; }},
      {"too many elements", [](Content& c) { c.card.tensors[0].shape.assign(33, 1); }},
      {"tensor name is not UTF-8", [](Content& c) { c.card.tensors[0].name = "\x80"; }},
      {"tensor name has 4097", [](Content& c) { c.card.tensors[0].name.assign(4097, 'n'); }},
      {"tensor dtype has 65", [](Content& c) { c.card.tensors[0].dtype.assign(65, 'n'); }},
      {"facts are not ascending", [](Content& c) { c.card.facts[1].key = c.card.facts[0].key; }},
      {"facts are not ascending", [](Content& c) { std::swap(c.card.facts[0], c.card.facts[1]); }},
      {"without a key", [](Content& c) { c.card.facts[0].key.clear(); }},
      {"key has 257", [](Content& c) { c.card.facts[1].key.assign(257, 'x'); }},
      {"value has 4097", [](Content& c) { c.card.facts[1].value.assign(4097, 'x'); }},
      {"reason has 4097", [](Content& c) { c.excluded[0].because.assign(4097, 'x'); }},
  });
}

// A field of wire type 2.
ByteVector field(std::uint8_t number, const ByteVector& value) {
  ByteVector out = {static_cast<std::uint8_t>(static_cast<unsigned>(number) << 3U | 2U)};
  std::size_t size = value.size();
  for (; size >= 128; size >>= 7U) out.push_back(static_cast<std::uint8_t>(size | 128U));
  out.push_back(static_cast<std::uint8_t>(size));
  out.insert(out.end(), value.begin(), value.end());
  return out;
}

ByteVector repeated(const ByteVector& element, std::size_t count) {
  ByteVector out;
  out.reserve(element.size() * count);
  for (; count != 0; --count) out.insert(out.end(), element.begin(), element.end());
  return out;
}

// A manifest that has the bytes in `files` where its lists are, for lists that take long to make.
Result<Content> parse_with(const ByteVector& files, const ByteVector& card = {}) {
  Content content;
  content.product = "p";
  ByteVector bytes = serialize_content(content);
  const ByteVector no_card = {0x62, 0};
  const auto at = std::search(bytes.begin(), bytes.end(), no_card.begin(), no_card.end());
  const ByteVector plan(at + 2, bytes.end());
  bytes.erase(at, bytes.end());
  for (const ByteVector& part : {files, field(12, card), plan}) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return parse_content(bytes);
}

ByteVector operator+(ByteVector a, const ByteVector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

auto limits(const std::string& why) {
  return FailsWith(ErrorCode::kLimit, HasSubstr(why));
}

const ByteVector kPathA = {0x0a, 1, 'a'};

// Kind and size of a segment; the rest does not matter.
ByteVector segment(std::uint8_t kind, const ByteVector& size) {
  return field(3, ByteVector{0x08, kind, 0x10} + size + field(3, ByteVector(24)) +
                      field(4, ByteVector(32)) + field(5, ByteVector(32)));
}

TEST(Content, BoundsTheNumberOfElements) {
  const ByteVector tensor = {0x12, 0};
  const ByteVector extent = field(3, {0x08, 1, 0x18, 1});
  const ByteVector excluded = field(11, kPathA + field(2, {'b'}));
  const ByteVector public_file = field(8, kPathA + field(3, ByteVector(32)));
  EXPECT_THAT(parse_with({}, repeated(tensor, kMaxTensors + 1)), limits("1048576 tensors"));
  EXPECT_THAT(parse_with(field(10, kPathA + repeated(extent, kMaxExtents + 1))),
              limits("too many extents"));
  EXPECT_THAT(parse_with(repeated(excluded, kMaxFiles + 1)), limits("131072 excluded files"));
  EXPECT_THAT(parse_with(repeated(public_file, kMaxFiles + 1)), limits("131072 public files"));
  const ByteVector one_byte = segment(2, {1});
  EXPECT_THAT(
      parse_with(field(9, kPathA + ByteVector{0x10, 1} + repeated(one_byte, kMaxSegments + 1))),
      limits("too many segments"));
}

TEST(Content, BoundsTheNumberOfFacts) {
  expect_refusals({{"more than 1024 facts",
                    [](Content& c) {
                      c.card.facts.clear();
                      for (int i = 10000; i < 11025; ++i) {
                        c.card.facts.push_back({"z" + std::to_string(i), ""});
                      }
                    },
                    ErrorCode::kLimit}});
}

// Exactly as many segments as may be, each as large as may be: the header makes it too much.
TEST(Content, BoundsTheSizeOfASealedFile) {
  const ByteVector header = segment(1, {0x80, 0x80, 0x80, 0x80, 0x01});  // 256 MiB
  const ByteVector data = segment(2, {0x80, 0x80, 0x80, 0x20});          // 64 MiB
  const ByteVector start = kPathA + ByteVector{0x10, 1} + header;
  EXPECT_THAT(parse_with(field(9, start + repeated(data, kMaxSegments - 1))),
              limits("sealed file too large"));
  EXPECT_THAT(parse_with(field(9, start + repeated(data, kMaxSegments - 4))), Succeeds());
}

TEST(Content, RefusesAPlanWithoutScheme) {
  expect_refusals({
      {"no scheme", [](Content& c) { c.plan.scheme.clear(); }},
      {"no scheme", [](Content& c) { c.plan.version = 0; }},
      {"scheme has 65", [](Content& c) { c.plan.scheme.assign(65, 's'); }},
      {"scheme parameters", [](Content& c) { c.plan.parameters.resize((16U << 20U) + 1, 1); }},
  });
}

TEST(SegmentContext, DiffersInEveryPart) {
  const Uuid uuid{1};
  const Uuid other{2};
  const auto base = segment_context(uuid, 1, SegmentKind::kData, 5);
  EXPECT_NE(base, segment_context(other, 1, SegmentKind::kData, 5));
  EXPECT_NE(base, segment_context(uuid, 2, SegmentKind::kData, 5));
  EXPECT_NE(base, segment_context(uuid, 1, SegmentKind::kHeader, 5));
  EXPECT_NE(base, segment_context(uuid, 1, SegmentKind::kData, 6));
  EXPECT_EQ(to_hex(segment_context(uuid, 1, SegmentKind::kData, 5)),
            "1300000000000000"
            "7365616c7061636b2f76312f7365676d656e74"
            "1000000000000000"
            "01000000000000000000000000000000"
            "0800000000000000"
            "0100000000000000"
            "0800000000000000"
            "0200000000000000"
            "0800000000000000"
            "0500000000000000");
}

}  // namespace
}  // namespace sealpack::bundle
