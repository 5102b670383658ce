// SPDX-License-Identifier: Apache-2.0
// The head as a region of the file: its states, its damage, and updates that were cut short.
#include "formats/bundle/encode.h"
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;

constexpr std::size_t kStateOffset = kHeadOffset + 24;

Head make_head(std::uint8_t payload) {
  Head head;
  head.release.payload_type = "type";
  head.release.payload = {payload};
  return head;
}

void write(ByteVector& file, std::uint64_t offset, Bytes bytes) {
  std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
}

ByteVector copy_of(const Head& head) {
  return head_copy(HeadLayout{}, serialize_head(head)).value();
}

// A page of tar header, then the head with copies where they are given.
ByteVector file_with(HeadState state, const Head* a, const Head* b) {
  const HeadLayout layout;
  ByteVector file(kHeadOffset + layout.head_size);
  write(file, kHeadOffset, head_preamble(layout.head_size, state));
  if (a != nullptr) write(file, layout.copy_offset(false), copy_of(*a));
  if (b != nullptr) write(file, layout.copy_offset(true), copy_of(*b));
  return file;
}

Result<LoadedHead> load(const ByteVector& file) {
  return load_head(MemorySource(file));
}

const Head kOld = make_head(1);
const Head kNew = make_head(2);

TEST(HeadStates, NameTheCopyThatCounts) {
  const auto a = load(file_with(HeadState::kA, &kOld, nullptr));
  ASSERT_THAT(a, Succeeds());
  EXPECT_EQ(a->head, kOld);
  EXPECT_FALSE(a->updating());
  const auto b = load(file_with(HeadState::kB, nullptr, &kNew));
  ASSERT_THAT(b, Succeeds());
  EXPECT_EQ(b->head, kNew);
  const auto updating_a = load(file_with(HeadState::kAUpdating, &kOld, &kNew));
  ASSERT_THAT(updating_a, Succeeds());
  EXPECT_EQ(updating_a->head, kOld);
  EXPECT_TRUE(updating_a->updating());
  const auto updating_b = load(file_with(HeadState::kBUpdating, &kOld, &kNew));
  ASSERT_THAT(updating_b, Succeeds());
  EXPECT_EQ(updating_b->head, kNew);
}

TEST(HeadStates, LeaveNothingOfTheOtherCopyAtRest) {
  EXPECT_THAT(load(file_with(HeadState::kA, &kOld, &kNew)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(load(file_with(HeadState::kB, &kOld, &kNew)), Fails(ErrorCode::kMalformed));
}

TEST(HeadStates, AreFourOf256Values) {
  unsigned accepted = 0;
  for (unsigned value = 0; value < 256; ++value) {
    ByteVector file = file_with(HeadState::kAUpdating, &kOld, &kNew);
    file[kStateOffset] = static_cast<std::uint8_t>(value);
    const auto head = load(file);
    const bool updating = value == 0x33 || value == 0x55;
    EXPECT_EQ(head.ok(), updating) << value;
    if (head.ok()) ++accepted;
    // At rest the other copy must be empty, which here it is not; without it they are accepted.
    ByteVector only_a = file_with(HeadState::kA, &kOld, nullptr);
    only_a[kStateOffset] = static_cast<std::uint8_t>(value);
    EXPECT_EQ(load(only_a).ok(), value == 0x0f || value == 0x33) << value;
  }
  EXPECT_EQ(accepted, 2U);
}

TEST(HeadStates, AreFourBitsApart) {
  const std::array<unsigned, 4> states = {0x0f, 0x33, 0x55, 0x69};
  for (const unsigned a : states) {
    for (const unsigned b : states) {
      EXPECT_EQ(__builtin_popcount(a ^ b), a == b ? 0 : 4);
    }
  }
}

// Zero bytes are flipped in one bit each, the others in every bit.
TEST(HeadStates, NoticeEveryFlippedBit) {
  for (const HeadState state : {HeadState::kA, HeadState::kB}) {
    ByteVector file = state == HeadState::kA ? file_with(state, &kOld, nullptr)
                                             : file_with(state, nullptr, &kNew);
    std::size_t tried = 0;
    for (std::size_t byte = kHeadOffset; byte < file.size(); ++byte) {
      const std::uint8_t before = file[byte];
      const unsigned first = before == 0 ? byte % 8 : 0;
      const unsigned end = before == 0 ? first + 1 : 8;
      for (unsigned bit = first; bit < end; ++bit, ++tried) {
        file[byte] = before ^ static_cast<std::uint8_t>(1U << bit);
        ASSERT_FALSE(load(file).ok()) << byte << " " << bit;
      }
      file[byte] = before;
    }
    std::printf("tried %zu flips of a head\n", tried);
  }
}

TEST(HeadStates, RefuseEveryTruncation) {
  const ByteVector file = file_with(HeadState::kA, &kOld, nullptr);
  for (std::size_t size = 0; size < file.size(); size += size < 100 ? 1 : 509) {
    EXPECT_FALSE(load({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)}).ok());
  }
}

// What a crash can leave: any prefix of the bytes of the step that was under way.
void expect_old_or_new(ByteVector& file, std::uint64_t offset, Bytes step, const Head& wanted) {
  for (std::size_t written = 0; written <= step.size(); ++written) {
    if (written != 0) file[offset + written - 1] = step[written - 1];
    if (written > 300 && written % 997 != 0 && written + 300 < step.size()) continue;
    const auto head = load(file);
    ASSERT_THAT(head, Succeeds()) << written << " of " << step.size();
    ASSERT_EQ(head->head, wanted) << written;
  }
}

TEST(HeadUpdate, IsOldOrNewAfterACrashInAnyStep) {
  const HeadLayout layout;
  const ByteVector wiped(layout.copy_size());
  for (const bool to_b : {true, false}) {
    ByteVector file =
        to_b ? file_with(HeadState::kA, &kOld, nullptr) : file_with(HeadState::kB, nullptr, &kOld);
    const auto state_byte = [](HeadState state) {
      return ByteVector{static_cast<std::uint8_t>(state)};
    };
    const auto before = to_b ? HeadState::kAUpdating : HeadState::kBUpdating;
    const auto after = to_b ? HeadState::kBUpdating : HeadState::kAUpdating;
    expect_old_or_new(file, layout.state_offset(), state_byte(before), kOld);
    expect_old_or_new(file, layout.copy_offset(to_b), copy_of(kNew), kOld);
    write(file, layout.state_offset(), state_byte(after));  // the commit
    expect_old_or_new(file, layout.copy_offset(!to_b), wiped, kNew);
    expect_old_or_new(file, layout.state_offset(), state_byte(to_b ? HeadState::kB : HeadState::kA),
                      kNew);
    EXPECT_TRUE(file == (to_b ? file_with(HeadState::kB, nullptr, &kNew)
                              : file_with(HeadState::kA, &kNew, nullptr)));
  }
}

// Pages reach a disk in any order: a torn copy may have its end and not its start.
TEST(HeadUpdate, SurvivesPagesWrittenInAnyOrder) {
  const HeadLayout layout;
  Head large = kNew;
  large.release.payload.assign(20000, 7);
  const ByteVector copy = copy_of(large);
  const std::size_t pages = copy.size() / kAlignment;
  for (std::size_t mask = 0; mask < std::size_t{1} << pages; ++mask) {
    ByteVector file = file_with(HeadState::kAUpdating, &kOld, nullptr);
    for (std::size_t page = 0; page < pages; ++page) {
      if ((mask >> page & 1U) == 0) continue;
      write(file, layout.copy_offset(true) + page * kAlignment,
            Bytes(copy).subspan(page * kAlignment, kAlignment));
    }
    const auto head = load(file);
    ASSERT_THAT(head, Succeeds());
    ASSERT_EQ(head->head, kOld);
  }
}

TEST(HeadPreamble, SaysWhatItIsNot) {
  ByteVector file = file_with(HeadState::kA, &kOld, nullptr);
  file[kHeadOffset + 16] = 2;
  EXPECT_THAT(load(file), FailsWith(ErrorCode::kUnsupported, HasSubstr("format 2")));
  file[kHeadOffset + 16] = 0;
  EXPECT_THAT(load(file), FailsWith(ErrorCode::kMalformed, HasSubstr("impossible format")));
  file[kHeadOffset] = 'S';
  EXPECT_THAT(load(file), FailsWith(ErrorCode::kMalformed, HasSubstr("no magic")));
  EXPECT_THAT(load({}), FailsWith(ErrorCode::kMalformed, HasSubstr("very beginning")));
}

TEST(HeadPreamble, RefusesImpossibleHeadSizes) {
  for (const std::uint32_t size : {0U, 1U, kMinHeadSize - 1, kMinHeadSize + 1, kMinHeadSize / 2,
                                   kMinHeadSize * 2, kMaxHeadSize, kMaxHeadSize * 2, ~0U}) {
    ByteVector file = file_with(HeadState::kA, &kOld, nullptr);
    write(file, kHeadOffset, head_preamble(size, HeadState::kA));
    EXPECT_THAT(load(file), FailsWith(ErrorCode::kMalformed, HasSubstr("impossible head size")));
  }
}

TEST(HeadCopy, HoldsExactlyWhatTheSizesPromise) {
  for (std::uint32_t size = kMinHeadSize; size <= kMaxHeadSize; size *= 2) {
    const HeadLayout layout{size};
    const std::uint64_t capacity = layout.copy_size() - 36;
    EXPECT_LE(kAlignment + 2 * layout.copy_size(), size);
    EXPECT_GE(kAlignment + 2 * (layout.copy_size() + kAlignment), size);
    EXPECT_EQ(*head_size_for(capacity), size);
    if (size != kMaxHeadSize) {
      EXPECT_EQ(*head_size_for(capacity + 1), size * 2);
    } else {
      EXPECT_THAT(head_size_for(capacity + 1), Fails(ErrorCode::kLimit));
    }
    EXPECT_EQ(head_copy(layout, ByteVector(capacity))->size(), layout.copy_size());
    EXPECT_THAT(head_copy(layout, ByteVector(capacity + 1)), Fails(ErrorCode::kLimit));
  }
  EXPECT_EQ(*head_size_for(0), kMinHeadSize);
}

TEST(HeadCopy, LoadsWhenFullToTheLastByte) {
  const HeadLayout layout;
  Head head = kOld;
  head.release.payload.resize(layout.copy_size() - 100, 5);
  while (serialize_head(head).size() < layout.copy_size() - 36) head.release.payload.push_back(5);
  ASSERT_EQ(serialize_head(head).size(), layout.copy_size() - 36);
  const auto loaded = load(file_with(HeadState::kB, nullptr, &head));
  ASSERT_THAT(loaded, Succeeds());
  EXPECT_EQ(loaded->head, head);
}

TEST(HeadCopy, RefusesAMessageThatRunsPastIt) {
  const HeadLayout layout;
  for (const std::uint32_t size : {static_cast<std::uint32_t>(layout.copy_size()) - 35, ~0U}) {
    ByteVector file = file_with(HeadState::kA, &kOld, nullptr);
    for (unsigned i = 0; i < 4; ++i) {
      file[layout.copy_offset(false) + i] = static_cast<std::uint8_t>(size >> 8U * i);
    }
    EXPECT_THAT(load(file), FailsWith(ErrorCode::kMalformed, HasSubstr("runs past its copy")));
  }
}

}  // namespace
}  // namespace sealpack::bundle
