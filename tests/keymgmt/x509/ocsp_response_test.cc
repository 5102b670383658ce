// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/x509/ocsp_response.h"

#include <gmock/gmock.h>

#include "tests/attest/authority/mint_ocsp.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::x509 {
namespace {

using ::testing::ElementsAre;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::mint;
using testing::mint_ocsp;
using testing::mint_ocsp_refusal;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::MintOcsp;
using ::testing::SizeIs;
using testing::Succeeds;

constexpr std::uint64_t kNow = 1800000000;

class Ocsp : public ::testing::Test {
 protected:
  ByteVector made(const MintOcsp& what = {}) const {
    return mint_ocsp(what, device, issuer, responder, responder_key);
  }

  MintKey issuer_key = MintKey::generate(MintKeyType::kP256);
  MintKey device_key = MintKey::generate(MintKeyType::kP256);
  MintKey responder_key = MintKey::generate(MintKeyType::kP256);
  MintCertificate about_issuer{.subject = "Maker", .authority = true};
  ByteVector issuer = mint(about_issuer, issuer_key, nullptr, issuer_key);
  ByteVector device =
      mint({.subject = "Device", .serial = 0x1234}, device_key, &about_issuer, issuer_key);
  ByteVector responder = mint({.subject = "Responder", .extensions = {testing::ocsp_signing()}},
                              responder_key, &about_issuer, issuer_key);
};

TEST_F(Ocsp, SaysWhatItIsAboutAndForHowLong) {
  const auto response = OcspResponse::parse_der(made({.next_update = kNow + 60}));
  ASSERT_THAT(response, Succeeds());
  EXPECT_THAT(response->serials(), ElementsAre(ByteVector{0x12, 0x34}));
  const auto subject = Certificate::parse_der(device);
  const auto by = Certificate::parse_der(issuer);
  const auto answers = response->answers_about(*subject, *by);
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].status, OcspStatus::kGood);
  EXPECT_TRUE(answers[0].is_current(kNow));
  EXPECT_FALSE(answers[0].is_current(kNow + 60));
  EXPECT_THAT(response->answers_about(*by, *by), SizeIs(0));
  const auto signer = response->verify_responder(*by, {});
  ASSERT_THAT(signer, Succeeds());
  EXPECT_TRUE(signer->is_valid(1700000000) && signer->is_valid(2000000000));
  EXPECT_FALSE(signer->is_valid(1699999999) || signer->is_valid(2000000001));
  EXPECT_THAT(response->verify_responder(*subject, {}), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(response->boundaries(),
              ElementsAre(1700000000U, kNow + 60, 1700000000U, 2000000001U));
}

TEST_F(Ocsp, RefusesWhatIsNoResponse) {
  EXPECT_THAT(OcspResponse::parse_der({}), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(OcspResponse::parse_der(issuer), Fails(ErrorCode::kMalformed));
  EXPECT_THAT(OcspResponse::parse_der(ByteVector(kMaxOcspResponseSize + 1)),
              Fails(ErrorCode::kLimit));
  ByteVector longer = made();
  longer.push_back(0);
  EXPECT_THAT(OcspResponse::parse_der(longer), Fails(ErrorCode::kMalformed));
}
TEST_F(Ocsp, RefusesLengthsInALongerFormThanNeeded) {
  ByteVector longer = made();
  ASSERT_EQ(longer[1], 0x82);  // the outermost size, in two bytes
  longer[1] = 0x83;
  longer.insert(longer.begin() + 2, 0);
  EXPECT_THAT(OcspResponse::parse_der(longer),
              FailsWith(ErrorCode::kMalformed, HasSubstr("one encoding")));
}
TEST_F(Ocsp, RefusesARefusalOfTheResponder) {
  EXPECT_THAT(OcspResponse::parse_der(mint_ocsp_refusal()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("trylater")));
}
TEST_F(Ocsp, RefusesCriticalExtensionsButANonce) {
  EXPECT_THAT(OcspResponse::parse_der(made({.unknown_extension = true})),
              Fails(ErrorCode::kUnsupported));
  EXPECT_THAT(OcspResponse::parse_der(made({.nonce = true})), Succeeds());
}
TEST_F(Ocsp, RefusesMoreThan64Answers) {
  EXPECT_THAT(OcspResponse::parse_der(made({.copies = 64})), Succeeds());
  EXPECT_THAT(OcspResponse::parse_der(made({.copies = 65})), Fails(ErrorCode::kMalformed));
}

TEST_F(Ocsp, ProvesNothingWithAnyByteFlippedOrCut) {
  const ByteVector good = made();
  const auto subject = Certificate::parse_der(device);
  const auto by = Certificate::parse_der(issuer);
  for (std::size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(OcspResponse::parse_der(Bytes(good).first(i)).ok()) << i;
    ByteVector flipped = good;
    flipped[i] ^= 0x01;
    const auto response = OcspResponse::parse_der(flipped);
    if (!response.ok()) continue;
    EXPECT_FALSE(!response->answers_about(*subject, *by).empty() &&
                 response->verify_responder(*by, {}).ok())
        << i;
  }
}

TEST_F(Ocsp, AsksAboutOneCertificateWithoutANonce) {
  const auto subject = Certificate::parse_der(device);
  const auto by = Certificate::parse_der(issuer);
  const ByteVector request = make_ocsp_request(*subject, *by);
  // OCSPRequest, TBSRequest, requestList, Request, CertID, AlgorithmIdentifier: SHA-384.
  const ByteVector sha384{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02};
  EXPECT_NE(std::search(request.begin(), request.end(), sha384.begin(), sha384.end()),
            request.end());
  const ByteVector serial{0x02, 0x02, 0x12, 0x34};
  EXPECT_TRUE(std::equal(serial.rbegin(), serial.rend(), request.rbegin()))
      << "the serial number is its end: no extension follows";
}

}  // namespace
}  // namespace sealpack::x509
