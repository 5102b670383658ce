// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/endorsements.h"

#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using ::sealpack::testing::Fails;
using ::sealpack::testing::FailsWith;
using ::sealpack::testing::Succeeds;
using ::testing::HasSubstr;

Endorsements sample() {
  return {{{1}, {1, 2}, {2}}, {{3}}, {{4}}, {{5}, {6}}, {{7}}, {{8}, {9}}};
}

bool equal(const Endorsements& a, const Endorsements& b) {
  return a.certificates == b.certificates && a.revocation_lists == b.revocation_lists &&
         a.tcb_infos == b.tcb_infos && a.enclave_identities == b.enclave_identities &&
         a.public_keys == b.public_keys && a.ocsp_responses == b.ocsp_responses;
}

TEST(Endorsements, ComeBack) {
  const auto again = parse_endorsements(serialize_endorsements(sample()));
  ASSERT_THAT(again, Succeeds());
  EXPECT_TRUE(equal(*again, sample()));
  ASSERT_THAT(parse_endorsements(serialize_endorsements({})), Succeeds());
}

TEST(Endorsements, HaveOneEncodingWhateverTheirOrder) {
  Endorsements shuffled = sample();
  std::swap(shuffled.certificates[0], shuffled.certificates[2]);
  shuffled.public_keys.push_back({7});
  EXPECT_EQ(serialize_endorsements(shuffled), serialize_endorsements(sample()));
}

TEST(Endorsements, RefuseEveryFlippedBitThatDoesNotChangeTheirMeaning) {
  const ByteVector bytes = serialize_endorsements(sample());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteVector flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto parsed = parse_endorsements(flipped);
    if (!parsed.ok()) continue;
    EXPECT_FALSE(equal(*parsed, sample())) << bit;
    EXPECT_EQ(serialize_endorsements(*parsed), flipped) << bit;
  }
}

TEST(Endorsements, RefuseElementsOutOfOrderTwiceOrEmpty) {
  const ByteVector twice = {8, 1, 0x12, 1, 7, 0x12, 1, 7};
  EXPECT_THAT(parse_endorsements(twice), FailsWith(ErrorCode::kMalformed, HasSubstr("greater")));
  const ByteVector descending = {8, 1, 0x12, 1, 7, 0x12, 1, 6};
  EXPECT_THAT(parse_endorsements(descending), Fails(ErrorCode::kMalformed));
  const ByteVector empty = {8, 1, 0x12, 0};
  EXPECT_THAT(parse_endorsements(empty), FailsWith(ErrorCode::kMalformed, HasSubstr("empty")));
  const ByteVector fields = {8, 1, 0x1a, 1, 7, 0x12, 1, 6};
  EXPECT_THAT(parse_endorsements(fields), Fails(ErrorCode::kMalformed));
}

TEST(Endorsements, RefuseOtherVersions) {
  EXPECT_THAT(parse_endorsements({}), Fails(ErrorCode::kUnsupported));
  const ByteVector next = {8, 2};
  EXPECT_THAT(parse_endorsements(next), Fails(ErrorCode::kUnsupported));
}

TEST(Endorsements, RefuseTheReservedField) {
  const ByteVector reserved = {8, 1, 0x32, 1, 7};
  EXPECT_THAT(parse_endorsements(reserved), Fails(ErrorCode::kMalformed));
}

TEST(Endorsements, AreBoundedInSizeAndCount) {
  Endorsements large;
  large.certificates = {ByteVector(kMaxEndorsementSize + 1, 1)};
  EXPECT_THAT(parse_endorsements(serialize_endorsements(large)), Fails(ErrorCode::kLimit));
  Endorsements many;
  for (std::size_t i = 0; i <= kMaxEndorsements; ++i) {
    many.tcb_infos.push_back({static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)});
  }
  EXPECT_THAT(parse_endorsements(serialize_endorsements(many)), Fails(ErrorCode::kLimit));
  many.tcb_infos.pop_back();
  EXPECT_THAT(parse_endorsements(serialize_endorsements(many)), Succeeds());
  EXPECT_THAT(parse_endorsements(ByteVector(kMaxEndorsementsSize + 1)), Fails(ErrorCode::kLimit));
}

TEST(Endorsements, MergeWithoutRepetition) {
  Endorsements into = sample();
  Endorsements more = sample();
  more.revocation_lists.push_back({42});
  merge_endorsements(into, more);
  EXPECT_EQ(into.certificates.size(), 3U);
  EXPECT_EQ(into.revocation_lists.size(), 2U);
}

}  // namespace
}  // namespace sealpack::attest
