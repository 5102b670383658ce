// SPDX-License-Identifier: Apache-2.0
#include "formats/base/byte_reader.h"

#include "tests/testing/result_matchers.h"

namespace sealpack {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;

TEST(ByteReader, ReadsLittleEndianInOrder) {
  const ByteVector input = {1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9};
  ByteReader in(input, "table");
  EXPECT_EQ(*in.u8("a"), 1);
  EXPECT_EQ(*in.u16("b"), 2);
  EXPECT_EQ(*in.u32("c"), 3U);
  EXPECT_EQ(*in.u64("d"), 4U);
  EXPECT_THAT(in.finish(), FailsWith(ErrorCode::kMalformed, HasSubstr("1 bytes left over")));
  EXPECT_THAT(in.skip(1, "e"), Succeeds());
  EXPECT_THAT(in.finish(), Succeeds());
}

TEST(ByteReader, NamesTheFieldATruncatedInputEndsIn) {
  const ByteVector input = {1, 2, 3};
  ByteReader in(input, "table");
  EXPECT_THAT(in.u32("section count"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("ends inside section count")));
  EXPECT_THAT(in.bytes(~std::uint64_t{0}, "body"), Fails(ErrorCode::kMalformed));
}

TEST(ByteReader, AcceptsEachVarintInItsShortestFormOnly) {
  const auto read = [](const ByteVector& input) { return ByteReader(input, "m").varint("v"); };
  EXPECT_EQ(*read({0x00}), 0U);
  EXPECT_EQ(*read({0xac, 0x02}), 300U);
  EXPECT_EQ(*read({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}), ~std::uint64_t{0});
  EXPECT_THAT(read({0x80, 0x00}), FailsWith(ErrorCode::kMalformed, HasSubstr("not minimal")));
  EXPECT_THAT(read({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),
              FailsWith(ErrorCode::kMalformed, HasSubstr("exceeds 64 bits")));
  EXPECT_THAT(read({0x80}), Fails(ErrorCode::kMalformed));
}

}  // namespace
}  // namespace sealpack
