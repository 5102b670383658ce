// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/certificate.h"

#include <gtest/gtest.h>

#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/revocation_list.h"
#include "tests/attest/authority/mint.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::x509 {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::mint;
using testing::MintCertificate;
using testing::MintExtension;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintList;
using testing::pem_of;
using testing::Succeeds;

const MintKey& key() {
  static const MintKey made = MintKey::generate(MintKeyType::kP256);
  return made;
}

ByteVector device(std::vector<MintExtension> extensions = {}) {
  return mint({.subject = "Device", .extensions = std::move(extensions)}, key(), nullptr, key());
}

std::string text(const ByteVector& bytes) {
  return std::string(as_text(bytes));
}
Result<std::vector<Certificate>> parse(const std::string& pem) {
  return Certificate::parse_pem(as_bytes(pem));
}

TEST(Certificate, NamesThePurposesOfItsExtendedKeyUsageAlone) {
  const auto purposes = [](const char* hex) {
    return device({{"2.5.29.37", false, from_hex(hex).value()}});
  };
  EXPECT_EQ(Certificate::parse_der(device())->names_purpose("2.23.133.8.1"), std::nullopt);
  const auto two = Certificate::parse_der(purposes("30120606678105080b06082b06010505070302"));
  EXPECT_FALSE(two.ok());  // an identifier of another length than it says
  const auto both =
      Certificate::parse_der(purposes("301106056781050801"
                                      "06082b06010505070302"));
  ASSERT_THAT(both, Succeeds());
  EXPECT_EQ(both->names_purpose("2.23.133.8.1"), true);
  EXPECT_EQ(both->names_purpose("1.3.6.1.5.5.7.3.2"), true);
  EXPECT_EQ(both->names_purpose("2.23.133.8.3"), false);
  const auto alike = Certificate::parse_der(purposes("300a06082b06056781050801"));
  ASSERT_THAT(alike, Succeeds());
  EXPECT_EQ(alike->names_purpose("2.23.133.8.1"), false);
}

TEST(Certificate, KnowsItsDigestsAndBytes) {
  const ByteVector der = device();
  const Certificate certificate = Certificate::parse_der(der).value();
  EXPECT_EQ(to_vector(certificate.der()), der);
  EXPECT_EQ(certificate.digest(), crypto::sha256(der));
  EXPECT_EQ(certificate.key_digest(), crypto::sha256(certificate.spki()));
  EXPECT_EQ(certificate, Certificate::parse_der(der).value());
}

TEST(Certificate, RefusesBytesBehindIt) {
  ByteVector der = device();
  der.push_back(0);
  EXPECT_THAT(Certificate::parse_der(der), FailsWith(ErrorCode::kMalformed, HasSubstr("follow")));
}

TEST(Certificate, RefusesEveryTruncation) {
  const ByteVector der = device();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_THAT(Certificate::parse_der(Bytes(der).first(size)), Fails(ErrorCode::kMalformed));
  }
}

TEST(Certificate, RefusesWhatIsLargerThanAnyCertificate) {
  EXPECT_THAT(Certificate::parse_der(ByteVector(65537)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("64 KiB")));
}

TEST(Certificate, RefusesLengthsInALongerFormThanNeeded) {
  ByteVector der = device();
  ASSERT_EQ(der[1], 0x82);  // SEQUENCE of 256 bytes or more
  der[1] = 0x83;
  der.insert(der.begin() + 2, 0);
  EXPECT_THAT(Certificate::parse_der(der), Fails(ErrorCode::kMalformed));
}

TEST(Certificate, RefusesAnExtensionThatIsThereTwice) {
  EXPECT_THAT(Certificate::parse_der(device({{"1.2.3.4", false, {5, 0}}, {"1.2.3.4", false, {}}})),
              FailsWith(ErrorCode::kMalformed, HasSubstr("twice")));
}

TEST(Certificate, RefusesMalformedBasicConstraints) {
  const MintCertificate what{.subject = "Device",
                             .without_basic_constraints = true,
                             .extensions = {{"2.5.29.19", true, {0x30, 0x05, 0x01}}}};
  EXPECT_THAT(Certificate::parse_der(mint(what, key(), nullptr, key())),
              Fails(ErrorCode::kMalformed));
}

TEST(Certificate, RefusesMoreExtensionsThanAnybodyHas) {
  std::vector<MintExtension> many;
  for (int i = 0; i < 64; ++i) many.push_back({"1.2.3." + std::to_string(i), false, {5, 0}});
  EXPECT_THAT(Certificate::parse_der(device(many)),
              FailsWith(ErrorCode::kMalformed, HasSubstr("64 extensions")));
}

TEST(Certificate, ToleratesANegativeSerialNumber) {
  ByteVector der = mint({.subject = "Device", .serial = 0x11}, key(), nullptr, key());
  const ByteVector serial{0x02, 0x01, 0x11};
  const auto at = std::search(der.begin(), der.end(), serial.begin(), serial.end());
  ASSERT_NE(at, der.end());
  at[2] = 0xEF;  // -17
  const auto negative = Certificate::parse_der(der);
  ASSERT_THAT(negative, Succeeds());
  const auto list = RevocationList::parse_der(
      testing::mint_list({.revoked = {0x11}}, {.subject = "Device"}, key()));
  at[2] = 0x11;
  EXPECT_TRUE(list->names(Certificate::parse_der(der).value()));
  EXPECT_FALSE(list->names(*negative));
}

TEST(Certificate, HasNoExtensionThatIsNotThere) {
  const Certificate certificate = Certificate::parse_der(device()).value();
  EXPECT_EQ(certificate.extension("1.2.3.4"), std::nullopt);
  EXPECT_EQ(certificate.extension("not an OID"), std::nullopt);
}

TEST(Certificate, HasNoCommonNameWhereThereIsNone) {
  const ByteVector der = mint({.organization = "Maker"}, key(), nullptr, key());
  EXPECT_EQ(Certificate::parse_der(der)->subject_common_name(), "");
}

TEST(CertificatePem, AllowsNulsAtItsEndAsDcapHas) {
  std::string pem = text(pem_of(device()));
  pem.push_back('\0');
  EXPECT_THAT(parse(pem), Succeeds());
  EXPECT_THAT(parse(pem + "x"), Fails(ErrorCode::kMalformed));
}

TEST(CertificatePem, TakesSeveralInTheirOrder) {
  const std::string one = text(pem_of(device()));
  const std::string other = text(pem_of(mint({.subject = "Other"}, key(), nullptr, key())));
  const auto both = parse(one + "\n" + other);
  ASSERT_THAT(both, Succeeds());
  ASSERT_EQ(both->size(), 2U);
  EXPECT_EQ((*both)[0].subject_common_name(), "Device");
  EXPECT_EQ((*both)[1].subject_common_name(), "Other");
}

TEST(CertificatePem, RefusesOtherText) {
  const std::string pem = text(pem_of(device()));
  EXPECT_THAT(parse(""), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse("subject: x\n" + pem), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse(pem + "trailer"), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(parse("-----BEGIN CERTIFICATE-----\nAAAA\n"), Fails(ErrorCode::kMalformed));
}

TEST(CertificatePem, RefusesSeventeen) {
  std::string many;
  for (int i = 0; i < 17; ++i) many += text(pem_of(device()));
  EXPECT_THAT(parse(many), FailsWith(ErrorCode::kMalformed, HasSubstr("16")));
}

// PEM of a certificate whose base64 ends in one '=': two bits before it mean nothing.
std::string padded_pem() {
  for (std::string name = "D";; name += 'e') {
    const ByteVector der = mint({.subject = name}, key(), nullptr, key());
    if (der.size() % 3 == 2) return text(pem_of(der));
  }
}

TEST(CertificatePem, RefusesBase64WithSeveralReadings) {
  const std::string good = padded_pem();
  ASSERT_THAT(parse(good), Succeeds());
  const std::size_t padding = good.find("=\n");
  ASSERT_NE(padding, std::string::npos);
  std::string bad = good;
  ++bad[padding - 1];  // the last bits, which no byte takes
  EXPECT_THAT(parse(bad), FailsWith(ErrorCode::kMalformed, HasSubstr("base64")));
  bad = good;
  bad.insert(padding, "====");
  EXPECT_THAT(parse(bad), FailsWith(ErrorCode::kMalformed, HasSubstr("base64")));
  bad = good;
  bad.erase(padding, 1);
  EXPECT_THAT(parse(bad), FailsWith(ErrorCode::kMalformed, HasSubstr("base64")));
  bad = good;
  bad[100] = '=';
  EXPECT_THAT(parse(bad), FailsWith(ErrorCode::kMalformed, HasSubstr("base64")));
}

TEST(RevocationList, KnowsItsWindow) {
  const MintCertificate root{.subject = "Root", .authority = true};
  const ByteVector der = testing::mint_list({.this_update = 100, .next_update = 200}, root, key());
  const RevocationList list = RevocationList::parse_der(der).value();
  EXPECT_EQ(list.this_update(), 100U);
  EXPECT_EQ(list.next_update(), 200U);
  EXPECT_FALSE(list.is_current(99));
  EXPECT_TRUE(list.is_current(100));
  EXPECT_TRUE(list.is_current(199));
  EXPECT_FALSE(list.is_current(200));
  EXPECT_EQ(list.issuer_name(),
            Certificate::parse_der(mint(root, key(), nullptr, key()))->subject_name());
}

TEST(RevocationList, IsByWhoHasItsIssuersNameAndKey) {
  const MintCertificate root{.subject = "Root", .authority = true};
  const MintCertificate namesake{.subject = "Roof", .authority = true};
  const MintKey other = MintKey::generate(MintKeyType::kP256);
  const auto list = RevocationList::parse_der(testing::mint_list({}, root, key())).value();
  const auto is_by = [&](const MintCertificate& what, const MintKey& of) {
    return list.is_by(Certificate::parse_der(mint(what, of, nullptr, of)).value());
  };
  EXPECT_TRUE(is_by(root, key()));
  EXPECT_FALSE(is_by(root, other));
  EXPECT_FALSE(is_by(namesake, key()));
  MintCertificate signs_no_lists = root;  // the same key, in another certificate
  signs_no_lists.authority = false;
  signs_no_lists.extensions = {{"2.5.29.15", true, {0x03, 0x02, 0x07, 0x80}}};
  EXPECT_FALSE(is_by(signs_no_lists, key()));
  EXPECT_TRUE(is_by(root, key()));
}

TEST(RevocationList, TellsItsIssuerWithoutBeingReadWhole) {
  const MintCertificate root{.subject = "Root", .authority = true};
  MintList content;
  for (const std::size_t count : {0U, 1U, 4000U}) {
    while (content.revoked.size() < count) content.revoked.push_back(content.revoked.size() + 1);
    const ByteVector der = testing::mint_list(content, root, key());
    EXPECT_EQ(RevocationList::issuer_of(der), RevocationList::parse_der(der)->issuer_name());
    if (count > 1) continue;
    for (std::size_t size = 0; size < der.size(); ++size) {
      EXPECT_EQ(RevocationList::issuer_of(Bytes(der).first(size)), std::nullopt) << size;
    }
  }
  EXPECT_EQ(RevocationList::issuer_of(mint(root, key(), nullptr, key())), std::nullopt);
  EXPECT_EQ(RevocationList::issuer_of(ByteVector{0x30, 0x03, 0x30, 0x01, 0x02}), std::nullopt);
  EXPECT_EQ(RevocationList::issuer_of(ByteVector(64, 0x30)), std::nullopt);
}

TEST(RevocationList, RefusesTruncationsAndTrailers) {
  ByteVector der = testing::mint_list({}, {.subject = "Root"}, key());
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_THAT(RevocationList::parse_der(Bytes(der).first(size)), Fails(ErrorCode::kMalformed));
  }
  der.push_back(0);
  EXPECT_THAT(RevocationList::parse_der(der), Fails(ErrorCode::kMalformed));
}

TEST(RevocationList, RefusesWhatIsLargerThanAnyList) {
  EXPECT_THAT(RevocationList::parse_der(ByteVector(kMaxListSize + 1)), Fails(ErrorCode::kLimit));
}

}  // namespace
}  // namespace sealpack::x509
