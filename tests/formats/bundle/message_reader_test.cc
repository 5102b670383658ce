// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/message_reader.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::bundle {
namespace {

using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Field 1 a number, 2 text, 3 repeated bytes, 4 packed, 5 a number of 32 bits.
struct Sample {
  std::uint64_t number = 0;
  std::string text;
  std::vector<ByteVector> list;
  std::vector<std::uint64_t> packed;
  std::uint32_t small = 0;
};

Result<Sample> parse(const ByteVector& message) {
  MessageReader in(message, "sample");
  Sample sample;
  sample.number = TRY(in.u64(1, "number"));
  sample.text = TRY(in.text(2, "text", 4));
  while (TRY(in.at(3))) sample.list.push_back(to_vector(TRY(in.element(3, "item"))));
  sample.packed = TRY(in.packed(4, "packed", 3));
  sample.small = TRY(in.u32(5, "small"));
  TRY(in.finish());
  return sample;
}

auto refuses(const std::string& why) {
  return FailsWith(ErrorCode::kMalformed, HasSubstr(why));
}

TEST(MessageReader, ReadsEveryKindOfField) {
  const auto sample = parse(
      {0x08, 0x96, 0x01, 0x12, 2, 'h', 'i', 0x1a, 0, 0x1a, 1, 9, 0x22, 3, 0, 0xac, 0x02, 0x28, 1});
  ASSERT_THAT(sample, Succeeds());
  EXPECT_EQ(sample->number, 150U);
  EXPECT_EQ(sample->text, "hi");
  EXPECT_THAT(sample->list, ElementsAre(ByteVector{}, ByteVector{9}));
  EXPECT_THAT(sample->packed, ElementsAre(0, 300));
  EXPECT_EQ(sample->small, 1U);
}

TEST(MessageReader, GivesDefaultsForAnEmptyMessage) {
  const auto sample = parse({});
  ASSERT_THAT(sample, Succeeds());
  EXPECT_EQ(sample->number, 0U);
  EXPECT_TRUE(sample->text.empty() && sample->list.empty() && sample->packed.empty());
}

TEST(MessageReader, RefusesEveryTruncation) {
  const ByteVector whole = {0x08, 0x96, 0x01, 0x12, 2, 'h', 'i', 0x1a, 1, 9, 0x28, 0x80, 0x01};
  // Where a field ends, what is left is a message too.
  const std::vector<std::size_t> field_ends = {0, 3, 7, 10};
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool complete = std::find(field_ends.begin(), field_ends.end(), size) != field_ends.end();
    const auto cut = parse({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_EQ(cut.ok(), complete) << size;
  }
}

TEST(MessageReader, RefusesFieldsOutOfOrder) {
  EXPECT_THAT(parse({0x12, 1, 'a', 0x08, 1}), refuses("field 1 is unknown or out of order"));
  EXPECT_THAT(parse({0x28, 1, 0x1a, 0}), refuses("2 bytes left over"));
  EXPECT_THAT(parse({0x1a, 0, 0x12, 1, 'a', 0x1a, 0}), refuses("field 2"));
}

TEST(MessageReader, RefusesARepeatedScalar) {
  EXPECT_THAT(parse({0x08, 1, 0x08, 1}), refuses("field 1"));
  EXPECT_THAT(parse({0x12, 1, 'a', 0x12, 1, 'a'}), refuses("field 2"));
  EXPECT_THAT(parse({0x28, 1, 0x28, 1}), refuses("2 bytes left over"));
}

TEST(MessageReader, RefusesAPackedListInTwoPieces) {
  EXPECT_THAT(parse({0x22, 1, 1, 0x22, 1, 1}), refuses("field 4"));
}

TEST(MessageReader, RefusesWrittenDefaults) {
  EXPECT_THAT(parse({0x08, 0}), refuses("number is written although it is the default"));
  EXPECT_THAT(parse({0x12, 0}), refuses("text is written although it is empty"));
  EXPECT_THAT(parse({0x22, 0}), refuses("packed is written although it is empty"));
  EXPECT_THAT(parse({0x28, 0}), refuses("small is written although it is the default"));
}

TEST(MessageReader, RefusesEveryOtherWireType) {
  for (std::uint8_t type = 0; type < 8; ++type) {
    for (std::uint8_t field = 1; field <= 5; ++field) {
      const bool number = field == 1 || field == 5;
      if (type == (number ? 0 : 2)) continue;
      const auto tag = static_cast<std::uint8_t>(field << 3U | type);
      EXPECT_THAT(parse({tag, 1, 1, 1, 1, 1, 1, 1, 1}), refuses("wrong wire type"))
          << int{field} << " " << int{type};
    }
  }
}

TEST(MessageReader, RefusesAnUnpackedElementOfAPackedList) {
  EXPECT_THAT(parse({0x20, 1}), refuses("wrong wire type"));
}

TEST(MessageReader, RefusesUnknownFields) {
  EXPECT_THAT(parse({0x30, 1}), refuses("field 6 is unknown"));
  EXPECT_THAT(parse({0x08, 1, 0xf2, 0x3f, 0}), refuses("field 1022 is unknown"));
  EXPECT_THAT(parse({0xf8, 0xff, 0xff, 0xff, 0x0f, 1}), refuses("field 536870911 is unknown"));
}

TEST(MessageReader, RefusesImpossibleTags) {
  EXPECT_THAT(parse({0x00, 1}), refuses("impossible field tag"));
  EXPECT_THAT(parse({0x07}), refuses("impossible field tag"));
  EXPECT_THAT(parse({0x80, 0x80, 0x80, 0x80, 0x10, 1}), refuses("impossible field tag"));
}

TEST(MessageReader, RefusesVarintsThatAreNotMinimal) {
  EXPECT_THAT(parse({0x88, 0x00, 1}), refuses("not minimal"));
  EXPECT_THAT(parse({0x08, 0x81, 0x00}), refuses("not minimal"));
  EXPECT_THAT(parse({0x12, 0x81, 0x00, 'a'}), refuses("not minimal"));
  EXPECT_THAT(parse({0x22, 2, 0x81, 0x00}), refuses("not minimal"));
}

TEST(MessageReader, RefusesVarintsThatAreTooLong) {
  ByteVector eleven = {0x08};
  eleven.resize(11, 0x80);
  eleven.push_back(1);
  EXPECT_THAT(parse(eleven), refuses("exceeds 64 bits"));
  ByteVector big = {0x08};
  big.resize(10, 0xff);
  big.push_back(0x02);
  EXPECT_THAT(parse(big), refuses("exceeds 64 bits"));
  big.back() = 0x01;
  ASSERT_THAT(parse(big), Succeeds());
  EXPECT_EQ(parse(big)->number, ~std::uint64_t{0});
}

TEST(MessageReader, RefusesA32BitFieldWithMore) {
  EXPECT_THAT(parse({0x28, 0xff, 0xff, 0xff, 0xff, 0x0f}), Succeeds());
  EXPECT_THAT(parse({0x28, 0x80, 0x80, 0x80, 0x80, 0x10}), refuses("exceeds 32 bits"));
}

TEST(MessageReader, RefusesTextThatIsTooLongOrNotUtf8) {
  EXPECT_THAT(parse({0x12, 4, 'a', 'b', 'c', 'd'}), Succeeds());
  EXPECT_THAT(parse({0x12, 5, 'a', 'b', 'c', 'd', 'e'}), refuses("at most 4 are allowed"));
  EXPECT_THAT(parse({0x12, 1, 0xff}), refuses("not UTF-8"));
  EXPECT_THAT(parse({0x12, 2, 0xc0, 0x80}), refuses("not UTF-8"));
}

TEST(MessageReader, RefusesSizesBeyondTheMessage) {
  EXPECT_THAT(parse({0x12, 3, 'a', 'b'}), refuses("ends inside text"));
  EXPECT_THAT(parse({0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),
              refuses("ends inside item"));
}

TEST(MessageReader, BoundsPackedLists) {
  EXPECT_THAT(parse({0x22, 3, 1, 2, 3}), Succeeds());
  EXPECT_THAT(parse({0x22, 4, 1, 2, 3, 4}), refuses("too many elements"));
  EXPECT_THAT(parse({0x22, 2, 1, 0x80}), refuses("ends inside packed"));
}

TEST(MessageReader, WantsArraysToHaveTheirSize) {
  const auto read = [](const ByteVector& message) {
    return MessageReader(message, "m").array<2>(1, "pair");
  };
  EXPECT_THAT(read({0x0a, 2, 1, 2}), Succeeds());
  EXPECT_THAT(read({0x0a, 1, 1}), refuses("pair has 1 bytes, not 2"));
  EXPECT_THAT(read({0x0a, 3, 1, 2, 3}), refuses("at most 2 are allowed"));
  EXPECT_THAT(read({}), refuses("pair has 0 bytes, not 2"));
}

}  // namespace
}  // namespace sealpack::bundle
