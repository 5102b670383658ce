// SPDX-License-Identifier: Apache-2.0
// Endorsement keys and certificates, without a TPM.
#include "keymgmt/tpm/endorsement.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using crypto::HashAlgorithm;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Succeeds;

TEST(EndorsementPolicies, AreThosePublishedInTheProfile) {
  EXPECT_EQ(to_hex(policy_a(HashAlgorithm::kSha256)),
            "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa");
  EXPECT_EQ(to_hex(policy_b(HashAlgorithm::kSha256)),
            "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0");
  EXPECT_EQ(to_hex(policy_b(HashAlgorithm::kSha384)),
            "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
            "cb47ba09699646150f9fc000f3f80e12");
  EXPECT_EQ(to_hex(policy_b(HashAlgorithm::kSha512)),
            "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
            "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea");
}

TEST(EndorsementTemplates, AreWrittenAndReadBack) {
  for (const EndorsementProfile& profile : endorsement_profiles()) {
    PublicArea area = endorsement_template(profile.kind);
    EXPECT_EQ(why_not_endorsement_key(area), "") << profile.name;
    area.unique.assign(area.kind == ObjectKind::kStorageRsa4096   ? 512
                       : area.kind == ObjectKind::kStorageRsa3072 ? 384
                       : area.kind == ObjectKind::kStorageRsa2048 ? 256
                       : area.kind == ObjectKind::kStorageP521    ? 132
                       : area.kind == ObjectKind::kStorageP384    ? 96
                                                                  : 64,
                       0x5a);
    const auto parsed = parse_public(serialize_public(area));
    ASSERT_THAT(parsed, Succeeds()) << profile.name;
    EXPECT_EQ(*parsed, area);
    EXPECT_TRUE(is_name(name_of(area)));
    EXPECT_EQ(endorsement_kind(static_cast<std::uint64_t>(profile.kind)), profile.kind);
  }
  EXPECT_EQ(endorsement_kind(0), std::nullopt);
  EXPECT_EQ(endorsement_kind(9), std::nullopt);
}

TEST(EndorsementTemplates, OtherKeysAreNone) {
  const PublicArea good = endorsement_template(EndorsementKind::kP384);
  for (const std::uint32_t bit :
       {kFixedTpm, kFixedParent, kSensitiveDataOrigin, kRestricted, kDecrypt}) {
    PublicArea area = good;
    area.attributes &= ~bit;
    EXPECT_NE(why_not_endorsement_key(area), "") << bit;
  }
  PublicArea signs = good;
  signs.attributes |= kSign;
  EXPECT_THAT(why_not_endorsement_key(signs), HasSubstr("signs"));
  EXPECT_NE(why_not_endorsement_key(attestation_p256()), "");
}

TEST(EndorsementTemplates, ParametersThatDoNotGoTogetherAreNotSupported) {
  PublicArea area = endorsement_template(EndorsementKind::kP384);
  area.unique.resize(96);
  const ByteVector good = serialize_public(area);
  struct Edit {
    std::size_t at;
    std::uint8_t value;
  };
  // Names by SHA-256, AES of 128 bits, another curve.
  for (const Edit edit : {Edit{3, 0x0b}, Edit{60, 0x00}, Edit{67, 0x03}}) {
    ByteVector bytes = good;
    bytes[edit.at] = edit.value;
    EXPECT_FALSE(parse_public(bytes).ok()) << edit.at;
  }
}

// X and Y of a P-256 area, each as given.
ByteVector with_coordinates(const PublicArea& area, Bytes x, Bytes y) {
  ByteVector out = serialize_public(area);
  out.resize(out.size() - 2 * (2 + 32));
  for (const Bytes coordinate : {x, y}) {
    out.push_back(0);
    out.push_back(static_cast<std::uint8_t>(coordinate.size()));
    out.insert(out.end(), coordinate.begin(), coordinate.end());
  }
  return out;
}

// TPMs before revision 1.38 of the specification leave leading zeros out: 1 key in 128.
TEST(PublicAreas, KeepTheNameThatTheyHaveWithoutLeadingZeros) {
  PublicArea area = attestation_p256();
  do
    area.unique =
        to_vector(crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256)->spki().last(64));
  while (area.unique[0] != 0);
  const Bytes x = Bytes(area.unique).first(32);
  const Bytes y = Bytes(area.unique).last(32);
  const ByteVector as_came = with_coordinates(area, x.subspan(1), y);
  const auto parsed = parse_public(as_came);
  ASSERT_THAT(parsed, Succeeds());
  EXPECT_EQ(parsed->unique, area.unique);
  EXPECT_EQ(*parsed->spki(), *area.spki());
  EXPECT_EQ(serialize_public(*parsed), as_came);
  EXPECT_NE(name_of(*parsed), name_of(area));
  EXPECT_NE(*parsed, area);
}

TEST(PublicAreas, HaveCoordinatesOfAtMostTheSizeOfTheirCurve) {
  PublicArea area = attestation_p256();
  const ByteVector one(32, 0x11);
  ByteVector longer = one;
  longer.insert(longer.begin(), 0);
  EXPECT_THAT(parse_public(with_coordinates(area, one, one)), Succeeds());
  EXPECT_THAT(parse_public(with_coordinates(area, longer, one)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_public(with_coordinates(area, one, longer)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse_public(with_coordinates(area, one, {})), Fails(ErrorCode::kMalformed));
}

TEST(Names, AreOfThreeHashes) {
  const ByteVector sha256 = *from_hex("000b" + std::string(64, 'a'));
  EXPECT_TRUE(is_name(sha256));
  EXPECT_TRUE(is_name(*from_hex("000c" + std::string(96, 'a'))));
  EXPECT_FALSE(is_name(*from_hex("000c" + std::string(64, 'a'))));
  EXPECT_TRUE(is_name(*from_hex("000d" + std::string(128, 'a'))));
  EXPECT_FALSE(is_name(*from_hex("000d" + std::string(96, 'a'))));
  EXPECT_FALSE(is_name(*from_hex("000e" + std::string(128, 'a'))));
  EXPECT_FALSE(is_name(*from_hex("0004" + std::string(40, 'a'))));
  EXPECT_FALSE(is_name(Bytes(sha256).first(33)));
  EXPECT_FALSE(is_name({}));
}

// A DER sequence of that many bytes inside.
ByteVector der(std::size_t size) {
  ByteVector out = {0x30};
  if (size >= 0x100) {
    out.push_back(0x82);
    out.push_back(static_cast<std::uint8_t>(size >> 8U));
  } else if (size >= 0x80) {
    out.push_back(0x81);
  }
  out.push_back(static_cast<std::uint8_t>(size & 0xffU));
  out.resize(out.size() + size, 0x42);
  return out;
}

TEST(CertificateInIndex, StandsAloneOrBeforeWhateverFillsTheIndex) {
  for (const std::size_t size : {0x10U, 0x90U, 0x300U}) {
    const ByteVector certificate = der(size);
    EXPECT_EQ(*certificate_in_index(certificate), certificate);
    for (const unsigned filling : {0x00U, 0xffU, 0x37U}) {
      ByteVector padded = certificate;
      padded.resize(1600, static_cast<std::uint8_t>(filling));
      EXPECT_EQ(*certificate_in_index(padded), certificate);
    }
    for (std::size_t cut = 0; cut < certificate.size(); cut += 7) {
      EXPECT_THAT(certificate_in_index(Bytes(certificate).first(cut)),
                  Fails(ErrorCode::kMalformed));
    }
  }
}

TEST(CertificateInIndex, MayHaveTheHeadOfTpm12) {
  const ByteVector certificate = der(0x300);
  ByteVector stored = {0x10, 0x01, 0x00};
  const std::size_t size = certificate.size() + 2;
  stored.insert(stored.end(), {static_cast<std::uint8_t>(size >> 8U),
                               static_cast<std::uint8_t>(size), 0x10, 0x02});
  stored.insert(stored.end(), certificate.begin(), certificate.end());
  stored.resize(stored.size() + 100, 0xff);
  EXPECT_EQ(*certificate_in_index(stored), certificate);
  ByteVector partial = stored;
  partial[2] = 1;
  EXPECT_THAT(certificate_in_index(partial),
              FailsWith(ErrorCode::kMalformed, HasSubstr("no whole certificate")));
  ByteVector shorter = stored;
  shorter[4] = static_cast<std::uint8_t>(shorter[4] - 1);
  EXPECT_THAT(certificate_in_index(shorter), Fails(ErrorCode::kMalformed));
  ByteVector none = stored;
  none[3] = 0;
  none[4] = 1;
  EXPECT_THAT(certificate_in_index(none), Fails(ErrorCode::kMalformed));
  ByteVector other = stored;
  other[6] = 3;
  EXPECT_THAT(certificate_in_index(other), Fails(ErrorCode::kMalformed));
}

TEST(CertificateInIndex, IsRefusedWhereThereIsNone) {
  EXPECT_THAT(certificate_in_index({}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(certificate_in_index(ByteVector(100)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(certificate_in_index(ByteVector(100, 0xff)), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(certificate_in_index(*from_hex("3083000010")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(certificate_in_index(*from_hex("3080")), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(certificate_in_index(der(5000)), Fails(ErrorCode::kLimit));
}

TEST(SplitChain, EndsWhereNoCertificateBegins) {
  ByteVector joined = der(0x300);
  const ByteVector second = der(0x90);
  joined.insert(joined.end(), second.begin(), second.end());
  EXPECT_EQ(*split_chain(joined), (std::vector<ByteVector>{der(0x300), second}));
  joined.resize(joined.size() + 50, 0xff);
  EXPECT_EQ(split_chain(joined)->size(), 2U);
  EXPECT_TRUE(split_chain({})->empty());
  EXPECT_TRUE(split_chain(ByteVector(64))->empty());
  EXPECT_THAT(split_chain(Bytes(joined).first(900)), Fails(ErrorCode::kMalformed));
  ByteVector many;
  for (std::size_t i = 0; i <= kMaxChainCount; ++i) {
    const ByteVector one = der(4);
    many.insert(many.end(), one.begin(), one.end());
  }
  EXPECT_THAT(split_chain(many), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::tpm
