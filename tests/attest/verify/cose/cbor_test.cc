// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cbor.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/attest/verify/cose/cose_maker.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using testing::CborMapMaker;
using testing::CborWriter;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;

ByteVector hex(std::string_view text) {
  return from_hex(text).value();
}

Status skip_all(Bytes bytes) {
  CborReader in(bytes, "test");
  TRY(in.skip());
  return in.finish();
}

TEST(CborReader, ReadsTheExamplesOfTheSpecification) {
  // RFC 8949 appendix A.
  EXPECT_EQ(CborReader(hex("00"), "n").unsigned_number("").value(), 0U);
  EXPECT_EQ(CborReader(hex("17"), "n").unsigned_number("").value(), 23U);
  EXPECT_EQ(CborReader(hex("1818"), "n").unsigned_number("").value(), 24U);
  EXPECT_EQ(CborReader(hex("1903e8"), "n").unsigned_number("").value(), 1000U);
  EXPECT_EQ(CborReader(hex("1a000f4240"), "n").unsigned_number("").value(), 1000000U);
  EXPECT_EQ(CborReader(hex("1bffffffffffffffff"), "n").unsigned_number("").value(), UINT64_MAX);
  EXPECT_EQ(CborReader(hex("20"), "n").number("").value(), -1);
  EXPECT_EQ(CborReader(hex("3903e7"), "n").number("").value(), -1000);
  EXPECT_EQ(CborReader(hex("f4"), "n").boolean("").value(), false);
  EXPECT_EQ(CborReader(hex("f5"), "n").boolean("").value(), true);
  EXPECT_EQ(to_vector(CborReader(hex("4401020304"), "n").bytes("").value()), hex("01020304"));
  EXPECT_EQ(CborReader(as_bytes("\x64"
                                "IETF"),
                       "n")
                .text("")
                .value(),
            "IETF");
}

TEST(CborReader, ReadsTheNumbersAtTheEndsOf64Bits) {
  EXPECT_EQ(CborReader(hex("1b7fffffffffffffff"), "n").number("").value(), INT64_MAX);
  EXPECT_EQ(CborReader(hex("3b7fffffffffffffff"), "n").number("").value(), INT64_MIN);
  EXPECT_THAT(CborReader(hex("1b8000000000000000"), "n").number(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborReader(hex("3b8000000000000000"), "n").number(""), Fails(ErrorCode::kMalformed));
}

TEST(CborReader, RefusesLengthsThatAreIndefinite) {
  for (const char* text :
       {"5f42010243030405ff", "7f61616162ff", "9f01ff", "bf0102ff", "ff", "1f", "3f", "df"}) {
    EXPECT_THAT(skip_all(hex(text)), FailsWith(ErrorCode::kMalformed, HasSubstr("indefinite")))
        << text;
  }
}

TEST(CborReader, RefusesReservedHeads) {
  for (const char* text : {"1c", "1d", "1e", "5c", "7d", "9e", "bc", "dd", "fe"}) {
    EXPECT_THAT(skip_all(hex(text)), Fails(ErrorCode::kMalformed)) << text;
    // Not even where more follows that could be a length.
    const ByteVector longer = hex(text + std::string(160, '0'));
    EXPECT_THAT(CborReader(longer, "test").skip(), Fails(ErrorCode::kMalformed)) << text;
  }
}

// RFC 9783 section 5.1: whoever makes tokens need not choose the shortest head, so a verifier takes
// any.
TEST(CborReader, TakesHeadsLongerThanNeeded) {
  for (const char* text : {"1817", "190018", "1900ff", "1a0000ffff", "1b00000000ffffffff", "580101",
                           "780161", "98020000", "b8010000", "d81200"}) {
    EXPECT_THAT(skip_all(hex(text)), Succeeds()) << text;
  }
  EXPECT_EQ(CborReader(hex("1b0000000000000017"), "n").unsigned_number("").value(), 23U);
  EXPECT_EQ(CborReader(hex("390000"), "n").number("").value(), -1);
  EXPECT_EQ(to_vector(CborReader(hex("590002aabb"), "n").bytes("").value()), hex("aabb"));
}

Status skip_all_of_any_length(Bytes bytes) {
  CborReader in(bytes, "test", CborLengths::kAny);
  TRY(in.skip());
  return in.finish();
}

TEST(CborReader, TakesMapsAndArraysUntilABreakWhereAskedTo) {
  for (const char* text :
       {"9fff", "bfff", "9f01ff", "bf0102ff", "9f8201029f03ffff", "bf6161bf019f03ffffff"}) {
    EXPECT_THAT(skip_all_of_any_length(hex(text)), Succeeds()) << text;
    EXPECT_THAT(skip_all(hex(text)), Fails(ErrorCode::kMalformed)) << text;
  }
  const ByteVector bytes = hex("9f0102ff03");
  CborReader in(bytes, "test", CborLengths::kAny);
  CborReader::Members members = in.open_array("").value();
  std::vector<std::uint64_t> values;
  while (in.next(members).value()) values.push_back(in.unsigned_number("").value());
  EXPECT_EQ(values, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(in.unsigned_number("").value(), 3U);
}

TEST(CborReader, RefusesABreakWhereNoMemberMayEndAndStringsInPieces) {
  for (const char* text : {"ff", "9f01", "bf01ff", "bf0102", "9f9f01ff", "5f4101ff", "7f6161ff",
                           "81ff", "a1ff", "a101ff", "c1ff", "df00ff"}) {
    EXPECT_THAT(skip_all_of_any_length(hex(text)), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(CborReader(hex("9f01ff"), "n", CborLengths::kAny).array(""),
              FailsWith(ErrorCode::kMalformed, HasSubstr("a count is needed")));
}

TEST(CborReader, SkipsSixteenLevelsUntilABreakAndNoMore) {
  ByteVector deep(15, 0x9F);
  deep.push_back(0x00);
  deep.insert(deep.end(), 15, 0xFF);
  EXPECT_THAT(skip_all_of_any_length(deep), Succeeds());
  deep.insert(deep.begin(), 0x9F);
  deep.push_back(0xFF);
  EXPECT_THAT(skip_all_of_any_length(deep), FailsWith(ErrorCode::kMalformed, HasSubstr("deeper")));
}

TEST(CborReader, RefusesFloatsAndUnknownSimpleValues) {
  for (const char* text : {"f90000", "fa47c35000", "fb3ff199999999999a", "f7", "f0", "e0", "f820",
                           "f816", "f90014", "f90015"}) {
    EXPECT_THAT(skip_all(hex(text)), Fails(ErrorCode::kMalformed)) << text;
    EXPECT_THAT(CborReader(hex(text), "n").boolean(""), Fails(ErrorCode::kMalformed)) << text;
    const ByteVector bytes = hex(text);
    CborReader in(bytes, "n");
    EXPECT_FALSE(in.take_null().value()) << text;
  }
}

TEST(CborReader, RefusesSizesBeyondTheInput) {
  for (const char* text : {"5b7fffffffffffffff00", "5bffffffffffffffff00", "7b7fffffffffffffff61",
                           "5a0000000300", "4200", "6161616161"}) {
    EXPECT_THAT(skip_all(hex(text)), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(CborReader(hex("5bffffffffffffffff00"), "n").bytes(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborReader(hex("7bffffffffffffffff00"), "n").text(""), Fails(ErrorCode::kMalformed));
}

TEST(CborReader, RefusesCountsBeyondTheInput) {
  for (const char* text : {"9bffffffffffffffff00", "bbffffffffffffffff00", "bb800000000000000000",
                           "9a7fffffff00", "8200", "a100"}) {
    EXPECT_THAT(skip_all(hex(text)), Fails(ErrorCode::kMalformed)) << text;
  }
  EXPECT_THAT(CborReader(hex("9bffffffffffffffff00"), "n").array(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborReader(hex("bb8000000000000000"), "n").map(""), Fails(ErrorCode::kMalformed));
  // Before an element is read: who asked may set room aside for as many.
  EXPECT_THAT(CborReader(hex("83000000"), "n").array(""), Succeeds());
  EXPECT_THAT(CborReader(hex("830000"), "n").array(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborReader(hex("a2000000"), "n").map(""), Fails(ErrorCode::kMalformed));
}

TEST(CborReader, RefusesTextThatIsNotUtf8AlsoWhereItIsSkipped) {
  EXPECT_THAT(CborReader(hex("62c328"), "n").text(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(skip_all(hex("8162c328")), FailsWith(ErrorCode::kMalformed, HasSubstr("UTF-8")));
}

TEST(CborReader, SkipsSixteenLevelsAndNoMore) {
  for (const std::uint8_t opening : {std::uint8_t{0x81}, std::uint8_t{0xC1}}) {
    ByteVector deep(15, opening);
    deep.push_back(0x00);
    EXPECT_THAT(skip_all(deep), Succeeds());
    deep.insert(deep.begin(), opening);
    EXPECT_THAT(skip_all(deep), FailsWith(ErrorCode::kMalformed, HasSubstr("deeper")));
    EXPECT_THAT(skip_all(ByteVector(100000, opening)), Fails(ErrorCode::kMalformed));
  }
}

TEST(CborReader, CountsTheMapAroundAValueAsALevel) {
  ByteVector deep = hex("a100");
  deep.resize(deep.size() + 14, 0x81);
  deep.push_back(0x00);
  EXPECT_THAT(skip_all(deep), Succeeds());
  EXPECT_THAT(CborMap::parse(deep, "test"), Succeeds());
  deep.insert(deep.begin() + 2, 0x81);
  EXPECT_THAT(skip_all(deep), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborMap::parse(deep, "test"), FailsWith(ErrorCode::kMalformed, HasSubstr("deeper")));
}

TEST(CborReader, RefusesBytesLeftOver) {
  EXPECT_THAT(skip_all(hex("0000")), FailsWith(ErrorCode::kMalformed, HasSubstr("left over")));
}

TEST(CborReader, SaysWhatItExpectedAndFound) {
  EXPECT_THAT(CborReader(hex("6161"), "token").bytes("nonce"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("nonce: expected bytes, found text")));
  EXPECT_THAT(CborReader({}, "token").bytes("nonce"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("ends here")));
}

TEST(CborReader, PassesOverANullAndNothingElse) {
  const ByteVector bytes = hex("f6f5");
  CborReader in(bytes, "n");
  EXPECT_TRUE(in.take_null().value());
  EXPECT_FALSE(in.take_null().value());
  EXPECT_TRUE(in.boolean("").value());
  EXPECT_THAT(in.take_null(), Fails(ErrorCode::kMalformed));
}

TEST(CborMap, FindsNumbersAndTexts) {
  const ByteVector bytes = CborMapMaker()
                               .put(-75000, CborWriter().text("legacy"))
                               .put(44234, CborWriter().number(7))
                               .put("nonce", CborWriter().null())
                               .take();
  const auto map = CborMap::parse(bytes, "test");
  ASSERT_THAT(map, Succeeds());
  EXPECT_EQ(map->size(), 3U);
  EXPECT_EQ(to_vector(*map->find(44234)), hex("07"));
  EXPECT_EQ(to_vector(*map->find("nonce")), hex("f6"));
  EXPECT_TRUE(map->find(-75000));
  EXPECT_FALSE(map->find(75000));
  EXPECT_FALSE(map->find("non"));
}

TEST(CborMap, FindsKeysHoweverTheyAreEncoded) {
  const ByteVector bytes = hex("a3190001013900000278016103");
  const auto map = CborMap::parse(bytes, "test");
  ASSERT_THAT(map, Succeeds());
  EXPECT_EQ(to_vector(*map->find(1)), hex("01"));
  EXPECT_EQ(to_vector(*map->find(-1)), hex("02"));
  EXPECT_EQ(to_vector(*map->find("a")), hex("03"));
}

TEST(CborMap, EndsAtABreakWhereAskedTo) {
  const ByteVector bytes = hex("bf01022003ff");
  const auto map = CborMap::parse(bytes, "test", CborLengths::kAny);
  ASSERT_THAT(map, Succeeds());
  EXPECT_EQ(map->size(), 2U);
  EXPECT_THAT(CborMap::parse(bytes, "test"), Fails(ErrorCode::kMalformed));
  for (const char* text : {"bf01020103ff", "bf01022003ff00", "bf01022003", "bf0102ff20ff"}) {
    EXPECT_THAT(CborMap::parse(hex(text), "test", CborLengths::kAny), Fails(ErrorCode::kMalformed))
        << text;
  }
}

TEST(CborMap, RefusesAKeyThatOccursTwice) {
  for (const ByteVector& bytes :
       {CborMapMaker()
            .put(1, CborWriter().number(1))
            .put(2, CborWriter().number(1))
            .repeat(1)
            .take(),
        CborMapMaker().put("pcrs", CborWriter().null()).repeat("pcrs").take(),
        CborMapMaker().put(-1, CborWriter().null()).repeat(-1).take(),
        // However it is encoded.
        hex("a20100180100"), hex("a22000380000"), hex("a261610078016100")}) {
    EXPECT_THAT(CborMap::parse(bytes, "test"),
                FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
  }
}

TEST(CborMap, RefusesKeysOfOtherKindsAndTooManyEntries) {
  EXPECT_THAT(CborMap::parse(hex("a1414100"), "test"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborMap::parse(hex("a1f500"), "test"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(CborMap::parse(hex("a1c10000"), "test"), Fails(ErrorCode::kMalformed));
  CborMapMaker many;
  for (std::int64_t i = 0; i < 257; ++i) many.put(i, CborWriter().null());
  EXPECT_THAT(CborMap::parse(many.take(), "test"),
              FailsWith(ErrorCode::kMalformed, HasSubstr("more than 256")));
  EXPECT_THAT(CborMap::parse(many.remove(0).take(), "test"), Succeeds());
}

TEST(CborMap, RefusesWhatFollowsIt) {
  EXPECT_THAT(CborMap::parse(hex("a000"), "test"), Fails(ErrorCode::kMalformed));
}

TEST(CborHead, IsWhatTheReaderTakes) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{23}, std::uint64_t{24}, std::uint64_t{255},
        std::uint64_t{256}, std::uint64_t{65535}, std::uint64_t{65536}, std::uint64_t{0xFFFFFFFF},
        std::uint64_t{0x100000000}, std::numeric_limits<std::uint64_t>::max()}) {
    ByteVector bytes;
    append_cbor_head(bytes, CborType::kUnsigned, value);
    CborReader in(bytes, "test");
    EXPECT_EQ(in.unsigned_number("").value(), value);
    EXPECT_THAT(in.finish(), Succeeds());
  }
}

}  // namespace
}  // namespace sealpack::attest
