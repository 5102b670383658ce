// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cose_sign1.h"

#include <gmock/gmock.h>

#include "tests/attest/verify/cose/cose_maker.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest {
namespace {

using testing::CborWriter;
using testing::cose_sign1;
using testing::CoseShape;
using testing::HasOnlyReason;
using testing::header_of;
using testing::MintKey;
using testing::MintKeyType;

const MintKey& p256() {
  static const MintKey key = MintKey::generate(MintKeyType::kP256);
  return key;
}
const MintKey& p384() {
  static const MintKey key = MintKey::generate(MintKeyType::kP384);
  return key;
}
const ByteVector kPayload{1, 2, 3};

crypto::DeviceKey public_part(const MintKey& key) {
  return crypto::DeviceKey::from_spki(key.spki()).value();
}

std::vector<Reason> reasons_of(Bytes bytes, CoseTag tag = CoseTag::kOptional) {
  std::vector<Reason> reasons;
  const auto token = parse_cose_sign1(bytes, "token", tag, reasons);
  EXPECT_NE(token.has_value(), !reasons.empty());
  return reasons;
}

bool verifies(Bytes bytes, const MintKey& key) {
  std::vector<Reason> reasons;
  const auto token = parse_cose_sign1(bytes, "token", CoseTag::kOptional, reasons);
  return token && verify_cose_sign1(*token, public_part(key));
}

TEST(CoseSign1, VerifiesByTheKeyThatSigned) {
  EXPECT_TRUE(verifies(cose_sign1(p256(), kPayload), p256()));
  EXPECT_TRUE(verifies(cose_sign1(p384(), kPayload), p384()));
  EXPECT_TRUE(verifies(cose_sign1(p384(), {}), p384()));
  const MintKey other = MintKey::generate(MintKeyType::kP256);
  EXPECT_FALSE(verifies(cose_sign1(p256(), kPayload), other));
}

TEST(CoseSign1, VerifiesOverTheBytesThatCame) {
  // A protected header with more in it than the algorithm is signed as it is.
  const ByteVector header =
      CborWriter().map(2).number(1).number(-7).number(4).bytes(ByteVector{9}).take();
  EXPECT_TRUE(verifies(cose_sign1(p256(), kPayload, {.protected_header = header}), p256()));
}

TEST(CoseSign1, DoesNotVerifyWhatWasSignedWithExternalData) {
  EXPECT_FALSE(verifies(cose_sign1(p256(), kPayload, {.external_data = {1}}), p256()));
}

TEST(CoseSign1, TakesTheTagOrDoesWithoutAsAsked) {
  const ByteVector tagged = cose_sign1(p256(), kPayload);
  const ByteVector untagged = cose_sign1(p256(), kPayload, {.tag = std::nullopt});
  EXPECT_THAT(reasons_of(tagged, CoseTag::kRequired), ::testing::IsEmpty());
  EXPECT_THAT(reasons_of(tagged, CoseTag::kOptional), ::testing::IsEmpty());
  EXPECT_THAT(reasons_of(untagged, CoseTag::kOptional), ::testing::IsEmpty());
  EXPECT_THAT(reasons_of(untagged, CoseTag::kRequired), HasOnlyReason("cose.malformed"));
  // 61 is a CWT, 98 a COSE_Sign.
  for (const std::uint64_t tag : {16U, 19U, 61U, 96U, 97U, 98U}) {
    EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.tag = tag})),
                HasOnlyReason("cose.malformed"));
  }
}

TEST(CoseSign1, RefusesAMac0ForWhatItIs) {
  EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.tag = 17})), HasOnlyReason("cose.mac0"));
}

TEST(CoseSign1, RefusesOtherAlgorithmsThanTheThree) {
  // HMAC 256/256, RS256, PS256, RS1, ES256K, EdDSA, SHA-256, none.
  for (const std::int64_t algorithm : {5, -257, -37, -65535, -47, -8, -16, 0}) {
    EXPECT_THAT(
        reasons_of(cose_sign1(p256(), kPayload, {.protected_header = header_of(algorithm)})),
        HasOnlyReason("cose.algorithm"))
        << algorithm;
  }
  const ByteVector by_name = CborWriter().map(1).number(1).text("ES256").take();
  EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.protected_header = by_name})),
              HasOnlyReason("cose.algorithm"));
}

TEST(CoseSign1, RefusesATokenWithoutAProtectedAlgorithm) {
  const ByteVector unprotected = header_of(-7);
  for (const ByteVector& header : {ByteVector{}, ByteVector{0xA0}}) {
    EXPECT_THAT(
        reasons_of(cose_sign1(p256(), kPayload,
                              {.protected_header = header, .unprotected_header = unprotected})),
        HasOnlyReason("cose.malformed"));
  }
  EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.unprotected_header = unprotected})),
              HasOnlyReason("cose.malformed"));
}

TEST(CoseSign1, DoesNotVerifyUnderAnAlgorithmOfAnotherCurve) {
  // Says ES384 and is signed by a P-256 key with its own hash, and the other way round.
  EXPECT_FALSE(
      verifies(cose_sign1(p256(), kPayload, {.protected_header = header_of(-35)}), p256()));
  EXPECT_FALSE(verifies(cose_sign1(p384(), kPayload, {.protected_header = header_of(-7)}), p384()));
  EXPECT_FALSE(
      verifies(cose_sign1(p384(), kPayload, {.protected_header = header_of(-36)}), p384()));
  // Signed with the hash that it says.
  EXPECT_FALSE(verifies(
      cose_sign1(p256(), kPayload,
                 {.protected_header = header_of(-35), .hash = crypto::HashAlgorithm::kSha384}),
      p256()));
  EXPECT_FALSE(verifies(
      cose_sign1(p384(), kPayload,
                 {.protected_header = header_of(-7), .hash = crypto::HashAlgorithm::kSha256}),
      p384()));
}

TEST(CoseSign1, RefusesCriticalHeaders) {
  for (const std::int64_t label : {1, 33, 99}) {
    const ByteVector header =
        CborWriter().map(2).number(1).number(-7).number(2).array(1).number(label).take();
    EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.protected_header = header})),
                HasOnlyReason("cose.critical"));
  }
  const ByteVector outside = CborWriter().map(1).number(2).array(1).number(4).take();
  EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.unprotected_header = outside})),
              HasOnlyReason("cose.critical"));
}

TEST(CoseSign1, RefusesAHeaderThatIsThereTwice) {
  const ByteVector header = CborWriter().map(2).number(1).number(-7).number(1).number(-35).take();
  EXPECT_THAT(reasons_of(cose_sign1(p256(), kPayload, {.protected_header = header})),
              HasOnlyReason("cose.malformed"));
}

TEST(CoseSign1, RefusesADetachedPayload) {
  const ByteVector bytes =
      CborWriter().tag(18).array(4).bytes(header_of(-7)).map(0).null().bytes(ByteVector(64)).take();
  EXPECT_THAT(reasons_of(bytes), HasOnlyReason("cose.detached"));
}

TEST(CoseSign1, RefusesTrailingBytesTruncationsAndOtherCounts) {
  ByteVector bytes = cose_sign1(p256(), kPayload);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(reasons_of(Bytes(bytes).first(size)), ::testing::Not(::testing::IsEmpty())) << size;
  }
  bytes.push_back(0);
  EXPECT_THAT(reasons_of(bytes), HasOnlyReason("cose.malformed"));
  EXPECT_THAT(reasons_of(CborWriter().tag(18).array(3).bytes({}).map(0).bytes({}).take()),
              HasOnlyReason("cose.malformed"));
  EXPECT_THAT(reasons_of(ByteVector{0xD2, 0x9F}), HasOnlyReason("cose.malformed"));
}

TEST(CoseSign1, DoesNotVerifySignaturesOfOtherSizes) {
  ByteVector bytes = cose_sign1(p256(), kPayload);
  for (const std::size_t size : {0U, 63U, 65U, 96U}) {
    CborWriter out;
    out.raw(Bytes(bytes).first(bytes.size() - 66)).bytes(ByteVector(size, 1));
    EXPECT_FALSE(verifies(out.take(), p256())) << size;
  }
  // r and s of zero.
  CborWriter zero;
  zero.raw(Bytes(bytes).first(bytes.size() - 66)).bytes(ByteVector(64));
  EXPECT_FALSE(verifies(zero.take(), p256()));
}

}  // namespace
}  // namespace sealpack::attest
