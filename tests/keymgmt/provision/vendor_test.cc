// SPDX-License-Identifier: Apache-2.0
// Which TPMs a vendor believes, and what it refuses to sign. No TPM is needed.
#include "keymgmt/provision/vendor.h"

#include <gtest/gtest.h>

#include "tests/attest/authority/mint.h"
#include "tests/keymgmt/provision/sample_messages.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::provision {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::MintCertificate;
using testing::MintKey;
using testing::MintKeyType;
using testing::SampleMessages;
using testing::Succeeds;

// A TPM maker, and a request with a certificate of his.
class JudgeDevice : public ::testing::Test {
 protected:
  JudgeDevice() {
    root_name_.subject = "TPM maker root";
    root_name_.authority = true;
    root_name_.hash = crypto::HashAlgorithm::kSha256;
    leaf_.subject = "";
    leaf_.hash = crypto::HashAlgorithm::kSha256;
    // The TPM's maker and model, critical (directoryName with an empty sequence).
    leaf_.extensions.push_back({"2.5.29.17", true, {0x30, 0x04, 0xa4, 0x02, 0x30, 0x00}});
    request_ = SampleMessages::make_request();
    request_.endorsement.unique = key_.point();
    trust_.roots = {root_.digest()};
    trust_.pool = {*x509::Certificate::parse_der(mint(root_name_, root_, nullptr, root_))};
    trust_.now = 1800000000;
    certify();
  }

  void certify() { request_.endorsement_certificate = mint(leaf_, key_, &root_name_, root_); }
  std::string codes() {
    std::string out;
    for (const Reason& reason : judge_device(request_, trust_)) out += reason.code + " ";
    return out;
  }

  MintKey root_ = MintKey::generate(MintKeyType::kP256);
  MintKey key_ = MintKey::generate(MintKeyType::kP256);
  MintCertificate root_name_;
  MintCertificate leaf_;
  EnrolRequest request_;
  DeviceTrust trust_;
};

TEST_F(JudgeDevice, BelievesACertifiedKey) {
  EXPECT_EQ(codes(), "");
}

// The area as TPMs before revision 1.38 of the specification send it, its X beginning with a zero.
tpm::PublicArea without_leading_zero(const tpm::PublicArea& area) {
  ByteVector bytes = tpm::serialize_public(area);
  const std::size_t x_at = bytes.size() - 2 * (2 + 32);
  bytes[x_at + 1] = 31;
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(x_at + 2));
  return *tpm::parse_public(bytes);
}

// Its certificate has the zero.
TEST_F(JudgeDevice, BelievesACertifiedKeyWithoutItsLeadingZero) {
  while (key_.point()[0] != 0) key_ = MintKey::generate(MintKeyType::kP256);
  certify();
  request_.endorsement.unique = key_.point();
  request_.endorsement = without_leading_zero(request_.endorsement);
  EXPECT_EQ(codes(), "");
  EXPECT_THAT(parse_request(serialize(request_)), Succeeds());
}

TEST_F(JudgeDevice, BelievesAnAttestationKeyWithoutItsLeadingZero) {
  const ByteVector certificate = request_.endorsement_certificate;
  do request_ = SampleMessages::make_request();
  while (request_.attestation.unique[0] != 0);
  request_.attestation = without_leading_zero(request_.attestation);
  request_.endorsement.unique = key_.point();
  request_.endorsement_certificate = certificate;
  EXPECT_EQ(codes(), "");
  EXPECT_EQ(*parse_request(serialize(request_)), request_);
}

TEST_F(JudgeDevice, BelievesAKeyThatSomebodyVouchesFor) {
  request_.endorsement_certificate.clear();
  trust_.known = {tpm::name_of(request_.endorsement)};
  EXPECT_EQ(codes(), "");
}

TEST_F(JudgeDevice, RefusesATpmWithoutCertificate) {
  request_.endorsement_certificate.clear();
  EXPECT_EQ(codes(), "provision.unknown-tpm ");
}

TEST_F(JudgeDevice, RefusesEverybodyWithoutRoots) {
  trust_.roots.clear();
  EXPECT_EQ(codes(), "provision.unknown-tpm ");
}

TEST_F(JudgeDevice, RefusesTheCertificateOfAnotherKey) {
  request_.endorsement.unique = MintKey::generate(MintKeyType::kP256).point();
  EXPECT_THAT(codes(), HasSubstr("provision.ek-certificate"));
}

TEST_F(JudgeDevice, RefusesACertificateForAnotherUse) {
  const auto usage = [](const char* hex) {
    return testing::MintExtension{"2.5.29.37", false, from_hex(hex).value()};
  };
  leaf_.extensions.push_back(usage("300706056781050801"));
  certify();
  EXPECT_EQ(codes(), "");
  // A key for quotes; a purpose whose number holds that of endorsement keys.
  for (const char* other : {"300706056781050803", "300a06082b06056781050801"}) {
    leaf_.extensions.back() = usage(other);
    certify();
    EXPECT_EQ(codes(), "provision.ek-certificate ");
  }
}

TEST_F(JudgeDevice, RefusesARootThatOnlyHasTheName) {
  const MintKey impostor = MintKey::generate(MintKeyType::kP256);
  request_.endorsement_certificate = mint(leaf_, key_, &root_name_, impostor);
  trust_.pool = {*x509::Certificate::parse_der(mint(root_name_, impostor, nullptr, impostor))};
  EXPECT_THAT(codes(), HasSubstr("chain."));
}

TEST_F(JudgeDevice, RefusesAnExpiredCertificate) {
  trust_.now = 2100000000;
  EXPECT_THAT(codes(), HasSubstr("chain."));
}

TEST_F(JudgeDevice, RefusesARevokedCertificate) {
  leaf_.serial = 77;
  certify();
  trust_.revocation_lists = {mint_list({.revoked = {77}}, root_name_, root_)};
  EXPECT_THAT(codes(), HasSubstr("chain."));
}

TEST_F(JudgeDevice, RefusesWhatIsNoCertificate) {
  request_.endorsement_certificate = {1, 2, 3};
  EXPECT_EQ(codes(), "provision.ek-certificate ");
}

TEST_F(JudgeDevice, BelievesAChainThatTheTpmBrings) {
  const MintKey between = MintKey::generate(MintKeyType::kP384);
  MintCertificate between_name;
  between_name.subject = "TPM maker issuing";
  between_name.authority = true;
  between_name.hash = crypto::HashAlgorithm::kSha256;
  request_.endorsement_certificate = mint(leaf_, key_, &between_name, between);
  EXPECT_THAT(codes(), HasSubstr("chain."));
  request_.chain = {mint(between_name, between, &root_name_, root_)};
  EXPECT_EQ(codes(), "");
  // What it brings is no root.
  trust_.roots = {MintKey::generate(MintKeyType::kP256).digest()};
  EXPECT_THAT(codes(), HasSubstr("chain."));
}

TEST_F(JudgeDevice, RefusesCountersThatTheTpmDoesNotState) {
  const EnrolRequest good = request_;
  request_.counters.policy_value += 0x100;
  EXPECT_EQ(codes(), "provision.counter ");
  request_ = good;
  request_.counters.floor_value += 1000;
  EXPECT_EQ(codes(), "provision.counter ");
  request_ = good;
  std::swap(request_.policy_proof, request_.floor_proof);
  EXPECT_EQ(codes(), "provision.counter provision.counter ");
  request_ = good;
  request_.attestation = SampleMessages::make_request().attestation;
  EXPECT_EQ(codes(), "provision.counter provision.counter ");
}

TEST(AnswerRequest, NeedsAnEpochThatJustBegan) {
  const SampleMessages sample;
  EnrolRequest request = sample.request;
  request.counters.policy_value = 0x310;
  EXPECT_THAT(answer_request(request, {sample.scope, sample.product, *sample.grantor, {}, 0}),
              FailsWith(ErrorCode::kRefused, HasSubstr("middle of an epoch")));
}

TEST(AnswerRequest, NeedsKeysThatTpmsHave) {
  const SampleMessages sample;
  const auto rsa = *crypto::PrivateKey::generate(crypto::KeyType::kRsa3072);
  EXPECT_THAT(answer_request(sample.request, {sample.scope, rsa, *sample.grantor, {}, 0}),
              Fails(ErrorCode::kUnsupported));
  const auto ed25519 = *crypto::PrivateKey::generate(crypto::KeyType::kEd25519)->signer();
  EXPECT_THAT(answer_request(sample.request, {sample.scope, sample.product, *ed25519, {}, 0}),
              FailsWith(ErrorCode::kUnsupported, HasSubstr("P-256")));
}

TEST(AnswerRequest, CarriesNoSecretInTheClear) {
  const SampleMessages sample;
  for (const auto type : {crypto::KeyType::kX25519, crypto::KeyType::kEcdhP256}) {
    const auto key = *crypto::PrivateKey::generate(type);
    const auto enrolment =
        *answer_request(sample.request, {sample.scope, key, *sample.grantor, {}, 0});
    const std::string bytes(as_text(enrolment.answer.payload));
    const auto pkcs8 = key.to_pkcs8();
    // The private part of both forms: the last 32 bytes of X25519, 36 bytes in for P-256.
    const std::string secret(as_text(type == crypto::KeyType::kX25519
                                         ? pkcs8.reveal().last(32)
                                         : pkcs8.reveal().subspan(36, 32)));
    EXPECT_EQ(bytes.find(secret), std::string::npos);
  }
}

TEST(SignBootPolicy, NeedsPcrsOnceEachAndNotTheCap) {
  const SampleMessages sample;
  BootTerms terms;
  terms.scope = sample.scope;
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor), Fails(ErrorCode::kMalformed));
  terms.environments = {{}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor),
              FailsWith(ErrorCode::kUsage, HasSubstr("any machine")));
  const Digest measured = crypto::sha256(as_bytes("kernel"));
  terms.environments = {{{{4, measured}, {4, measured}}}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor),
              FailsWith(ErrorCode::kUsage, HasSubstr("twice")));
  terms.environments = {{{{terms.cap_pcr, measured}}}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor), Fails(ErrorCode::kUsage));
  terms.environments = {{{{24, measured}}}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor), Fails(ErrorCode::kUsage));
  terms.environments = {{{{4, measured}}}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor), Succeeds());
}

TEST(SignBootPolicy, RefusesAMachineThatMeasuredNothing) {
  const SampleMessages sample;
  BootTerms terms;
  terms.scope = sample.scope;
  const Digest measured = crypto::sha256(as_bytes("kernel"));
  terms.environments = {{{{4, measured}, {9, {}}}}};
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor), Succeeds());
  terms.environments.push_back({{{4, {}}, {9, {}}}});
  EXPECT_THAT(sign_boot_policy(terms, *sample.grantor),
              FailsWith(ErrorCode::kUsage, HasSubstr("any machine is like that")));
}

// Whoever has another key for quotes states any counter with it.
TEST(EnrolledDevices, AreThoseWhoseProofHolds) {
  const SampleMessages samples;
  const EnrolRecord& record = samples.enrolment.record;
  EXPECT_THAT(check_enrolled(samples.request, record, samples.proof), Succeeds());
  EnrolRequest other = SampleMessages::make_request();
  EXPECT_THAT(check_enrolled(other, record, samples.proof), Fails(ErrorCode::kNotAuthentic));
  other.endorsement = samples.request.endorsement;
  EXPECT_THAT(check_enrolled(other, record, samples.proof),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("attestation key")));
  other = samples.request;
  other.endorsement.unique = SampleMessages::point();
  EXPECT_THAT(check_enrolled(other, record, samples.proof),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another device")));
  EnrolProof forged = samples.proof;
  forged.proof.bytes[0] ^= 1U;
  EXPECT_THAT(check_enrolled(samples.request, record, forged), Fails(ErrorCode::kNotAuthentic));
}

}  // namespace
}  // namespace sealpack::provision
