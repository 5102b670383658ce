// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "attest/verify/tpm/pcr_values.h"
#include "tests/attest/verify/tpm/minted_tpm.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::attest {
namespace {

using crypto::HashAlgorithm;
using testing::Fails;
using testing::MintedTpm;
using testing::MintKeyType;
using testing::QuoteFields;
using testing::Succeeds;
using testing::TpmWriter;
using testing::write_quote;

QuoteFields some_quote() {
  QuoteFields fields;
  fields.selections = {{tpm::kAlgSha256, {0x91, 0x02, 0x80}}};
  fields.pcr_digest = ByteVector(32, 0xdd);
  return fields;
}

TEST(TpmQuoteParser, ReadsEveryField) {
  const ByteVector bytes = write_quote(some_quote());
  const auto quote = parse_tpm_quote(bytes);
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(to_vector(quote->qualified_signer), ByteVector(34, 0x0b));
  EXPECT_EQ(to_vector(quote->extra_data), (ByteVector{1, 2, 3, 4}));
  EXPECT_EQ(quote->clock, 123456U);
  EXPECT_EQ(quote->reset_count, 7U);
  EXPECT_EQ(quote->restart_count, 3U);
  EXPECT_TRUE(quote->clock_safe);
  EXPECT_EQ(quote->firmware_version, 0x2020031200120003U);
  EXPECT_EQ(quote->selections, (std::vector<PcrSelection>{{tpm::kAlgSha256, 0x800291}}));
  EXPECT_EQ(to_vector(quote->pcr_digest), ByteVector(32, 0xdd));
}

TEST(TpmQuoteParser, RefusesEveryTruncationAndATail) {
  ByteVector bytes = write_quote(some_quote());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(parse_tpm_quote(Bytes(bytes).first(size)), Fails(ErrorCode::kMalformed)) << size;
  }
  bytes.push_back(0);
  EXPECT_THAT(parse_tpm_quote(bytes), Fails(ErrorCode::kMalformed));
}

TEST(TpmQuoteParser, RefusesWhatNoTpmWrites) {
  QuoteFields magic = some_quote();
  magic.magic ^= 1U;
  EXPECT_THAT(parse_tpm_quote(write_quote(magic)), Fails(ErrorCode::kMalformed));
  QuoteFields type = some_quote();
  type.type = 0x8014;
  EXPECT_THAT(parse_tpm_quote(write_quote(type)), Fails(ErrorCode::kUnsupported));
  QuoteFields safe = some_quote();
  safe.safe = 2;
  EXPECT_THAT(parse_tpm_quote(write_quote(safe)), Fails(ErrorCode::kMalformed));
  QuoteFields data = some_quote();
  data.extra_data = ByteVector(67);
  EXPECT_THAT(parse_tpm_quote(write_quote(data)), Fails(ErrorCode::kMalformed));
  QuoteFields digest = some_quote();
  digest.pcr_digest = ByteVector(65);
  EXPECT_THAT(parse_tpm_quote(write_quote(digest)), Fails(ErrorCode::kMalformed));
}

TEST(TpmQuoteParser, RefusesSelectionsThatCanBeReadInTwoWays) {
  QuoteFields twice = some_quote();
  twice.selections.push_back({tpm::kAlgSha256, {0, 0, 0}});
  EXPECT_THAT(parse_tpm_quote(write_quote(twice)), Fails(ErrorCode::kMalformed));
  QuoteFields beyond = some_quote();
  beyond.selections[0].bitmap = {0, 0, 0, 1};
  EXPECT_THAT(parse_tpm_quote(write_quote(beyond)), Fails(ErrorCode::kMalformed));
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}}) {
    QuoteFields sized = some_quote();
    sized.selections[0].bitmap = ByteVector(size);
    EXPECT_THAT(parse_tpm_quote(write_quote(sized)), Fails(ErrorCode::kMalformed));
  }
  QuoteFields many = some_quote();
  many.selections.resize(17, {tpm::kAlgSha1, {0, 0, 0}});
  EXPECT_THAT(parse_tpm_quote(write_quote(many)), Fails(ErrorCode::kMalformed));
}

TEST(TpmPublicParser, ReadsBothWrappings) {
  for (const auto type : {MintKeyType::kP256, MintKeyType::kP384, MintKeyType::kRsa2048}) {
    const MintedTpm tpm(type);
    const auto bare = parse_tpm_public(tpm.area());
    ASSERT_THAT(bare, Succeeds());
    EXPECT_EQ(bare->name, tpm.name());
    EXPECT_EQ(bare->attributes, testing::kGoodAttributes);
    EXPECT_EQ(bare->key.spki(), tpm.key().spki());
    const auto sized = parse_tpm_public(TpmWriter().sized(tpm.area()).take());
    ASSERT_THAT(sized, Succeeds());
    EXPECT_EQ(sized->name, tpm.name());
  }
}

TEST(TpmPublicParser, TakesCoordinatesWithoutTheirLeadingZerosUnderTheirOwnName) {
  for (const auto type : {MintKeyType::kP256, MintKeyType::kP384}) {
    for (const std::size_t coordinate : {0U, 1U}) {
      MintedTpm tpm = MintedTpm::with_leading_zero(type, coordinate);
      const auto padded = parse_tpm_public(tpm.area());
      tpm.omits_leading_zeros = true;
      const auto given = parse_tpm_public(tpm.area());
      ASSERT_THAT(padded, Succeeds());
      ASSERT_THAT(given, Succeeds());
      EXPECT_EQ(given->key.spki(), tpm.key().spki());
      EXPECT_EQ(given->name, tpm.name());
      EXPECT_NE(given->name, padded->name);
    }
  }
}

// X and Y of a P-256 area as `edit` leaves them.
ByteVector with_coordinates(Bytes area, const std::function<void(ByteVector&)>& edit) {
  constexpr std::size_t kCoordinatesAt = 20;
  constexpr std::size_t kSize = 32;
  TpmWriter out;
  out.raw(area.first(kCoordinatesAt));
  for (const std::size_t at : {kCoordinatesAt + 2, kCoordinatesAt + 2 + kSize + 2}) {
    ByteVector coordinate = to_vector(area.subspan(at, kSize));
    edit(coordinate);
    out.sized(coordinate);
  }
  return out.take();
}

TEST(TpmPublicParser, RefusesCoordinatesThatAreLongerThanTheirCurveCutOffOrEmpty) {
  const ByteVector good = MintedTpm().area();
  ASSERT_THAT(parse_tpm_public(with_coordinates(good, [](ByteVector&) {})), Succeeds());
  const std::vector<std::function<void(ByteVector&)>> edits = {
      [](ByteVector& coordinate) { coordinate.insert(coordinate.begin(), 0); },
      [](ByteVector& coordinate) { coordinate.insert(coordinate.begin(), 16, 0); },
      [](ByteVector& coordinate) { coordinate.pop_back(); },
      [](ByteVector& coordinate) { coordinate.clear(); }};
  for (std::size_t i = 0; i < edits.size(); ++i) {
    EXPECT_THAT(parse_tpm_public(with_coordinates(good, edits[i])), Fails(ErrorCode::kMalformed))
        << i;
  }
}

// A key directly below the endorsement hierarchy is signed for under H(handle || name).
TEST(TpmPublicParser, NamesARealKeyAsItsQuotesDo) {
  LOAD_OR_SKIP(bytes, "tpm/gotpm-gce-cos-85-nonce9009.pb");
  constexpr std::size_t kAreaAt = 3;
  constexpr std::size_t kAreaSize = 280;
  const auto area = parse_tpm_public(Bytes(*bytes).subspan(kAreaAt, kAreaSize));
  ASSERT_THAT(area, Succeeds());
  EXPECT_EQ(why_not_attestation_key(area->attributes), "");
  const ByteVector qualified =
      TpmWriter()
          .u16(tpm::kAlgSha256)
          .raw(crypto::hash(HashAlgorithm::kSha256,
                            TpmWriter().u32(0x4000000b).raw(area->name).take()))
          .take();
  const auto found = std::search(bytes->begin(), bytes->end(), qualified.begin(), qualified.end());
  EXPECT_NE(found, bytes->end());
}

TEST(TpmPublicParser, RefusesEveryTruncationAndATail) {
  ByteVector bytes = MintedTpm().area();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(parse_tpm_public(Bytes(bytes).first(size)).ok()) << size;
  }
  bytes.push_back(0);
  EXPECT_THAT(parse_tpm_public(bytes), Fails(ErrorCode::kMalformed));
}

TEST(TpmPublicParser, RefusesReservedAttributes) {
  for (const unsigned bit : {0U, 3U, 12U, 15U, 20U, 31U}) {
    MintedTpm tpm;
    tpm.attributes |= 1U << bit;
    EXPECT_THAT(parse_tpm_public(tpm.area()), Fails(ErrorCode::kMalformed)) << bit;
  }
}

TEST(TpmPublicParser, RefusesOtherTypesHashesCurvesAndSchemes) {
  const ByteVector good = MintedTpm().area();
  struct Edit {
    std::size_t at;
    std::uint8_t value;
    ErrorCode code;
  };
  for (const Edit& edit : {Edit{1, 0x08, ErrorCode::kUnsupported},    // keyedHash
                           Edit{3, 0x04, ErrorCode::kUnsupported},    // names of SHA-1
                           Edit{3, 0x12, ErrorCode::kUnsupported},    // names of SM3
                           Edit{13, 0x1a, ErrorCode::kUnsupported},   // ECDAA
                           Edit{15, 0x04, ErrorCode::kUnsupported},   // ECDSA with SHA-1
                           Edit{17, 0x10, ErrorCode::kUnsupported},   // BN P256
                           Edit{17, 0x04, ErrorCode::kMalformed},     // P-384 with short points
                           Edit{30, 0x00, ErrorCode::kMalformed}}) {  // off the curve
    ByteVector bytes = good;
    bytes[edit.at] = edit.value == bytes[edit.at] ? 0xff : edit.value;
    EXPECT_THAT(parse_tpm_public(bytes), Fails(edit.code)) << edit.at;
  }
}

TEST(TpmPublicParser, RefusesAModulusThatIsNotAsLongAsItSays) {
  const ByteVector good = MintedTpm(MintKeyType::kRsa2048).area();
  ByteVector bits = good;
  bits[16] = 0x04;  // 1024 bits
  EXPECT_THAT(parse_tpm_public(bits), Fails(ErrorCode::kMalformed));
  ByteVector high = good;
  high[24] &= 0x7fU;
  EXPECT_THAT(parse_tpm_public(high), Fails(ErrorCode::kMalformed));
}

TEST(TpmSignatureParser, TakesIntegersWithAndWithoutTheirLeadingZeros) {
  const MintedTpm tpm;
  const ByteVector message = {1, 2, 3};
  const auto key = crypto::DeviceKey::from_spki(tpm.key().spki()).value();
  ByteVector r_s;
  do r_s = tpm.key().sign(HashAlgorithm::kSha256, message);
  while (r_s[0] != 0);
  const Bytes s = Bytes(r_s).subspan(32);
  Bytes r = Bytes(r_s).first(32);
  for (; r[0] == 0; r = r.subspan(1)) {
    const auto signature = parse_tpm_signature(
        TpmWriter().u16(tpm::kAlgEcdsa).u16(tpm::kAlgSha256).sized(r).sized(s).take());
    ASSERT_THAT(signature, Succeeds());
    EXPECT_THAT(verify_tpm_signature(*signature, key, message), Succeeds());
  }
  const auto shortest = parse_tpm_signature(
      TpmWriter().u16(tpm::kAlgEcdsa).u16(tpm::kAlgSha256).sized(r).sized(s).take());
  ASSERT_THAT(shortest, Succeeds());
  EXPECT_THAT(verify_tpm_signature(*shortest, key, message), Succeeds());
}

TEST(TpmSignatureParser, RefusesIntegersThatAreLongerThanTheCurve) {
  const MintedTpm tpm;
  const ByteVector message = {1, 2, 3};
  const ByteVector r_s = tpm.key().sign(HashAlgorithm::kSha256, message);
  const auto key = crypto::DeviceKey::from_spki(tpm.key().spki()).value();
  const Bytes r = Bytes(r_s).first(32);
  const Bytes s = Bytes(r_s).subspan(32);
  for (const std::size_t zeros : {std::size_t{1}, std::size_t{16}}) {
    ByteVector padded(zeros);
    padded.insert(padded.end(), r.begin(), r.end());
    const auto signature = parse_tpm_signature(
        TpmWriter().u16(tpm::kAlgEcdsa).u16(tpm::kAlgSha256).sized(padded).sized(s).take());
    ASSERT_THAT(signature, Succeeds());
    EXPECT_THAT(verify_tpm_signature(*signature, key, message), Fails(ErrorCode::kNotAuthentic));
  }
  ByteVector longer(16, 1);
  longer.insert(longer.end(), r.begin(), r.end());
  const auto oversized = parse_tpm_signature(
      TpmWriter().u16(tpm::kAlgEcdsa).u16(tpm::kAlgSha256).sized(longer).sized(s).take());
  ASSERT_THAT(oversized, Succeeds());
  EXPECT_THAT(verify_tpm_signature(*oversized, key, message), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(parse_tpm_signature(TpmWriter()
                                      .u16(tpm::kAlgEcdsa)
                                      .u16(tpm::kAlgSha256)
                                      .sized(ByteVector(49))
                                      .sized(s)
                                      .take()),
              Fails(ErrorCode::kMalformed));
  const auto nothing = parse_tpm_signature(
      TpmWriter().u16(tpm::kAlgEcdsa).u16(tpm::kAlgSha256).sized({}).sized({}).take());
  ASSERT_THAT(nothing, Succeeds());
  EXPECT_THAT(verify_tpm_signature(*nothing, key, message), Fails(ErrorCode::kNotAuthentic));
}

TEST(TpmSignatureParser, RefusesKeysOfAnotherType) {
  const MintedTpm rsa(MintKeyType::kRsa2048);
  const MintedTpm ecc;
  const ByteVector message = {1};
  const auto rsa_key = crypto::DeviceKey::from_spki(rsa.key().spki()).value();
  const auto ecc_key = crypto::DeviceKey::from_spki(ecc.key().spki()).value();
  EXPECT_THAT(
      verify_tpm_signature(parse_tpm_signature(ecc.sign(message)).value(), rsa_key, message),
      Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(
      verify_tpm_signature(parse_tpm_signature(rsa.sign(message)).value(), ecc_key, message),
      Fails(ErrorCode::kNotAuthentic));
}

TEST(TpmSignatureParser, RefusesOtherAlgorithmsAndHashes) {
  const ByteVector one = {1};
  for (const std::uint32_t algorithm : {0x0005U, 0x0010U, 0x001aU, 0x001bU, 0x001cU}) {
    EXPECT_THAT(parse_tpm_signature(
                    TpmWriter().u16(algorithm).u16(tpm::kAlgSha256).sized(one).sized(one).take()),
                Fails(ErrorCode::kUnsupported));
  }
  for (const std::uint32_t hash : {0x0004U, 0x0010U, 0x0012U, 0x0027U}) {
    EXPECT_THAT(parse_tpm_signature(TpmWriter().u16(tpm::kAlgRsaSsa).u16(hash).sized(one).take()),
                Fails(ErrorCode::kUnsupported));
  }
}

TEST(PcrValues, AreWrittenAsTheyAreRead) {
  const std::vector<PcrValue> values = {{HashAlgorithm::kSha256, 0, ByteVector(32, 1)},
                                        {HashAlgorithm::kSha256, 23, ByteVector(32, 2)},
                                        {HashAlgorithm::kSha1, 4, ByteVector(20, 3)}};
  const auto again = parse_pcr_values(serialize_pcr_values(values));
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(*again, values);
  EXPECT_EQ(selections_of(values),
            (std::vector<PcrSelection>{{tpm::kAlgSha256, 0x800001}, {tpm::kAlgSha1, 0x10}}));
}

TEST(PcrValues, OutOfOrderOrTwiceAreRefused) {
  const PcrValue zero{HashAlgorithm::kSha256, 0, ByteVector(32)};
  const PcrValue one{HashAlgorithm::kSha256, 1, ByteVector(32)};
  const PcrValue other{HashAlgorithm::kSha384, 0, ByteVector(48)};
  for (const auto& values : std::vector<std::vector<PcrValue>>{
           {one, zero}, {zero, zero}, {zero, other, one}, {zero, other, zero}}) {
    EXPECT_THAT(parse_pcr_values(serialize_pcr_values(values)), Fails(ErrorCode::kMalformed));
  }
  PcrValue beyond = zero;
  beyond.index = 24;
  EXPECT_THAT(parse_pcr_values(serialize_pcr_values({beyond})), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_pcr_values(TpmWriter().u16(0x0012).u8(0).raw(ByteVector(32)).take()),
              Fails(ErrorCode::kUnsupported));
}

}  // namespace
}  // namespace sealpack::attest
