// SPDX-License-Identifier: Apache-2.0
// Every byte of a bundle is signed, hashed or determined: whatever is changed is noticed.
#include <algorithm>

#include "formats/bundle/tree.h"
#include "tests/testing/result_matchers.h"
#include "tests/unpacker/whole_bundle.h"

namespace sealpack::unpacker {
namespace {

using sealpack::testing::build;
using sealpack::testing::check_units;
using sealpack::testing::check_whole;
using sealpack::testing::Fails;
using sealpack::testing::make_keys;
using sealpack::testing::memory;
using sealpack::testing::Recipe;
using sealpack::testing::Succeeds;
using sealpack::testing::TestBundle;
using sealpack::testing::TestKeys;
using sealpack::testing::trust_in;

const TestKeys& keys() {
  static const TestKeys kept = make_keys();
  return kept;
}
const TestBundle& sample() {
  static const TestBundle made = build(keys());
  return made;
}

// Bytes that a test changes while they are read; remembers how far reads reached.
class OpenMemory : public BlockSource {
 public:
  explicit OpenMemory(ByteVector bytes) : bytes_(std::move(bytes)), size_(bytes_.size()) {}
  ByteVector& bytes() { return bytes_; }
  void resize(std::uint64_t size) { size_ = size; }
  void forget_reads() { reads_.clear(); }
  bool was_read(std::uint64_t offset) const {
    return std::any_of(reads_.begin(), reads_.end(), [&](const auto& read) {
      return offset >= read.first && offset < read.first + read.second;
    });
  }

  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override {
    if (remember) reads_.emplace_back(offset, out.size());
    if (offset > size_ || out.size() > size_ - offset) return Error(ErrorCode::kIo, "the end");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return done();
  }
  bool remember = true;

 private:
  ByteVector bytes_;
  std::uint64_t size_;
  mutable std::vector<std::pair<std::uint64_t, std::uint64_t>> reads_;
};

// The release build tries every bit and every truncation. The others try one bit of each byte that
// is zero or that only a hash or a comparison covers, and one truncation of eleven.
#ifdef SEALPACK_EVERY_BIT
constexpr bool kEveryBit = true;
#else
constexpr bool kEveryBit = false;
#endif

// Calls `fails` for every flipped bit of byte `at`, or for one of them.
template <typename Fails>
std::size_t flip_bits(std::uint8_t& byte, std::size_t at, bool every, Fails fails) {
  const std::uint8_t before = byte;
  std::size_t tried = 0;
  for (unsigned bit = 0; bit < 8; ++bit) {
    if (!every && bit != at % 8) continue;
    byte = before ^ static_cast<std::uint8_t>(1U << bit);
    EXPECT_TRUE(fails()) << "byte " << at << ", bit " << bit;
    ++tried;
  }
  byte = before;
  return tried;
}

Status open_and_verify(const std::shared_ptr<OpenMemory>& source, const Trust& trust) {
  auto unverified = TRY(UnverifiedBundle::open(source));
  (void)TRY(std::move(unverified).verify(trust, {}));
  return done();
}

// Looks first where the last change was found: the next byte is most often in the same unit.
class Units {
 public:
  explicit Units(const VerifiedBundle& verified) : check_(verified), reader_(verified) {}
  bool notice_a_change() {
    if (!check_.check(last_, reader_).ok()) return true;
    for (last_ = 0; last_ < check_.unit_count(); ++last_) {
      if (!check_.check(last_, reader_).ok()) return true;
    }
    last_ = 0;
    return false;
  }

 private:
  BundleCheck check_;
  FileReader reader_;
  std::uint64_t last_ = 0;
};

TEST(Tampering, LeavesTheUntouchedBundleAlone) {
  EXPECT_THAT(check_whole(memory(sample().bytes()), trust_in(keys())), Succeeds());
}

// In what open and verify read they must notice it themselves; the rest is proven by the units.
// That this is all there is to read, is checked first.
TEST(Tampering, IsNoticedInEveryBitOfTheBundle) {
  const auto source = std::make_shared<OpenMemory>(sample().bytes());
  const Trust trust = trust_in(keys());
  auto verified = UnverifiedBundle::open(source).value().verify(trust, {}).value();
  const std::uint64_t head = bundle::kHeadOffset + bundle::kMinHeadSize;
  const std::uint64_t content = bundle::content_offset(bundle::kMinHeadSize);
  std::size_t tried = 0;
  std::vector<std::size_t> others;
  for (std::size_t at = 0; at < source->size(); ++at) {
    const bool in_head = at >= bundle::kHeadOffset && at < head;
    const bool in_content = at >= content && at < content + sample().content_bytes.size();
    ASSERT_EQ(source->was_read(at), in_head || in_content) << at;
    if (!in_head && !in_content) others.push_back(at);
  }
  source->remember = false;
  for (std::size_t at = bundle::kHeadOffset; at < content + sample().content_bytes.size(); ++at) {
    if (at >= head && at < content) continue;
    tried += flip_bits(source->bytes()[at], at, kEveryBit || source->bytes()[at] != 0,
                       [&] { return !open_and_verify(source, trust).ok(); });
  }
  const std::size_t by_verify = tried;
  const bundle::Member& tree = sample().layout.members[2];
  Units units(verified);
  for (const std::size_t at : others) {
    // A reader keeps the nodes it has proven: what is asked is whether a new one takes them.
    const bool in_tree = at >= tree.data_offset && at < tree.data_offset + tree.size;
    tried += flip_bits(source->bytes()[at], at, kEveryBit, [&] {
      return in_tree ? !check_units(verified).ok() : units.notice_a_change();
    });
  }
  EXPECT_THAT(check_units(verified), Succeeds());
  std::printf("tried %zu flipped bits of %llu bytes: %zu refused by verify, %zu by the units\n",
              tried, static_cast<unsigned long long>(source->size()), by_verify, tried - by_verify);
}

TEST(Tampering, IsNoticedInEveryTruncation) {
  const auto source = std::make_shared<OpenMemory>(sample().bytes());
  source->remember = false;
  const Trust trust = trust_in(keys());
  std::size_t tried = 0;
  for (std::uint64_t size = 0; size < source->bytes().size(); ++size) {
    if (!kEveryBit && size > 100 && size % 11 != 0 && source->bytes().size() - size > 3000)
      continue;
    source->resize(size);
    ++tried;
    ASSERT_FALSE(open_and_verify(source, trust).ok()) << size;
  }
  std::printf("tried %zu truncations\n", tried);
}

TEST(Tampering, IsNoticedInAppendedBytes) {
  for (const std::size_t more : {1U, 511U, 512U, 1024U, 4096U, 100000U}) {
    ByteVector bytes = sample().bytes();
    bytes.resize(bytes.size() + more);
    EXPECT_THAT(check_whole(memory(bytes), trust_in(keys())), Fails(ErrorCode::kMalformed));
  }
  ByteVector twice = sample().bytes();
  const ByteVector again = twice;
  twice.insert(twice.end(), again.begin(), again.end());
  EXPECT_THAT(check_whole(memory(twice), trust_in(keys())), Fails(ErrorCode::kMalformed));
}

struct Range {
  std::uint64_t offset;
  std::uint64_t size;
};
Range segment(std::size_t file, std::size_t index) {
  const auto& place = sample().layout.segments[file][index];
  return {place.data_offset, place.sealed_size};
}
void copy_range(ByteVector& to, std::uint64_t at, const ByteVector& from, Range range) {
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(range.offset), range.size,
              to.begin() + static_cast<std::ptrdiff_t>(at));
}
// The sample with two ranges of one size exchanged, or the first written over the second.
ByteVector exchanged(Range a, Range b) {
  ByteVector bytes = sample().bytes();
  copy_range(bytes, a.offset, sample().bytes(), b);
  copy_range(bytes, b.offset, sample().bytes(), a);
  return bytes;
}
ByteVector duplicated(Range a, Range b) {
  ByteVector bytes = sample().bytes();
  copy_range(bytes, b.offset, sample().bytes(), a);
  return bytes;
}

void expect_noticed(const ByteVector& bytes) {
  ASSERT_FALSE(bytes == sample().bytes());
  EXPECT_THAT(check_whole(memory(bytes), trust_in(keys())), Fails(ErrorCode::kNotAuthentic));
  // A reader that reads without checking everything first gets no other bytes either.
  auto open = sealpack::testing::open_with_slot(memory(bytes), keys());
  ASSERT_THAT(open, Succeeds());
  EXPECT_THAT(sealpack::testing::read_everything(*open), Fails(ErrorCode::kNotAuthentic));
}

TEST(Tampering, IsNoticedWhenSegmentsMove) {
  ASSERT_EQ(segment(1, 1).size, segment(1, 2).size);
  expect_noticed(exchanged(segment(1, 1), segment(1, 2)));
  expect_noticed(duplicated(segment(1, 1), segment(1, 2)));
  const Range tail = {segment(1, 1).offset + 16384, 16};
  expect_noticed(exchanged(tail, {segment(1, 2).offset + 16384, 16}));
}

// With their trees: the nodes agree with the bytes, only not with the signed roots.
TEST(Tampering, IsNoticedWhenSegmentsMoveWithTheirTrees) {
  ByteVector bytes = exchanged(segment(1, 1), segment(1, 2));
  const auto& places = sample().layout.segments[1];
  copy_range(bytes, places[1].tree_offset, sample().bytes(), {places[2].tree_offset, 4096});
  copy_range(bytes, places[2].tree_offset, sample().bytes(), {places[1].tree_offset, 4096});
  expect_noticed(bytes);
}

TEST(Tampering, IsNoticedWhenTreeNodesMove) {
  const auto& places = sample().layout.segments[1];
  expect_noticed(exchanged({places[1].tree_offset, 4096}, {places[2].tree_offset, 4096}));
}

TEST(Tampering, IsNoticedWhenBytesComeFromAnotherBundleOfTheSameKeys) {
  const TestBundle other = build(keys());  // the same key and plaintext, another uuid and salts
  ASSERT_EQ(other.layout.file_size, sample().layout.file_size);
  for (const std::size_t member : {2U, 7U}) {
    const auto& range = sample().layout.members[member];
    ByteVector bytes = sample().bytes();
    copy_range(bytes, range.data_offset, other.bytes(), {range.data_offset, range.size});
    expect_noticed(bytes);
  }
  ByteVector both = sample().bytes();
  for (const std::size_t member : {2U, 6U, 7U}) {
    const auto& range = sample().layout.members[member];
    copy_range(both, range.data_offset, other.bytes(), {range.data_offset, range.size});
  }
  expect_noticed(both);
}

TEST(Tampering, IsNoticedWhenTheHeadComesFromAnotherBundle) {
  const TestBundle other = build(keys());
  ByteVector bytes = sample().bytes();
  const Range head = {bundle::kHeadOffset, bundle::kMinHeadSize};
  copy_range(bytes, head.offset, other.bytes(), head);
  EXPECT_THAT(check_whole(memory(bytes), trust_in(keys())), Fails(ErrorCode::kNotAuthentic));
}

TEST(Tampering, IsNoticedWhenPublicFilesOrTheirNamesAreExchanged) {
  Recipe recipe;
  recipe.public_files = {{"a.bin", {1, 2, 3}}, {"b.bin", {4, 5, 6}}};
  recipe.edit_content = [](bundle::Content& content) { content.originals.clear(); };
  const TestBundle made = build(keys(), recipe);
  const auto& members = made.layout.members;
  ByteVector files = made.bytes();
  copy_range(files, members[3].data_offset, made.bytes(), {members[4].data_offset, 3});
  copy_range(files, members[4].data_offset, made.bytes(), {members[3].data_offset, 3});
  EXPECT_THAT(check_whole(memory(files), trust_in(keys())), Fails(ErrorCode::kNotAuthentic));
  ByteVector names = made.bytes();
  const auto rename = [&](const bundle::Member& member, const std::string& path) {
    bundle::Member renamed = member;
    renamed.path = path;
    const ByteVector headers = bundle::member_headers(renamed);
    copy_range(names, member.header_offset, headers, {0, headers.size()});
  };
  rename(members[3], "public/b.bin");
  rename(members[4], "public/a.bin");
  EXPECT_THAT(check_whole(memory(names), trust_in(keys())), Fails(ErrorCode::kMalformed));
}

TEST(BundleCheck, CountsWhatItReads) {
  const auto verified =
      UnverifiedBundle::open(memory(sample().bytes())).value().verify(trust_in(keys()), {});
  const BundleCheck check(*verified);
  // One unit a stream, for each is short: 3 public files, 4 segments, and the headers.
  ASSERT_EQ(check.unit_count(), 8U);
  std::uint64_t sum = 0;
  for (std::uint64_t unit = 0; unit < check.unit_count(); ++unit) sum += check.unit_size(unit);
  std::uint64_t stored = 0;
  for (std::size_t i = 3; i < sample().layout.members.size(); ++i) {
    stored += sample().layout.members[i].size;
  }
  EXPECT_EQ(sum, stored);
}

}  // namespace
}  // namespace sealpack::unpacker
