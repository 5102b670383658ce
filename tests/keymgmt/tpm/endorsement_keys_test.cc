// SPDX-License-Identifier: Apache-2.0
// Endorsement keys of all kinds in a TPM: as its maker left it, and as its owner changed it.
#include <gtest/gtest.h>

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/tpm/tpm.h"
#include "keymgmt/x509/certificate.h"
#include "tests/keymgmt/tpm/software_tpm.h"
#include "tests/keymgmt/tpm/tpm_command.h"
#include "tests/keymgmt/tpm/tpm_proxy.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::tpm {
namespace {

using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::SoftwareTpm;
using testing::Succeeds;
using testing::tpm_code;
using testing::TpmProxy;

class EndorsementKeys : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  }
  static std::unique_ptr<Tpm> open(const std::string& tcti, EndorsementKind kind,
                                   std::optional<Name> pinned = std::nullopt,
                                   PasswordSource password = {}) {
    auto tpm = Tpm::open({tcti, kind, std::move(pinned), std::move(password)});
    EXPECT_THAT(tpm, Succeeds());
    return tpm.ok() ? *std::move(tpm) : nullptr;
  }
  // That a credential and a wrapped key made for its endorsement key are of use in it.
  static void expect_serves(Tpm& tpm) {
    const auto secret = crypto::SecretBytes::random(32);
    const auto attestation = tpm.attestation_key();
    ASSERT_THAT(attestation, Succeeds());
    const auto credential = *make_credential(tpm.endorsement_key(), name_of(*attestation), secret);
    const auto activated = tpm.activate_credential(credential);
    ASSERT_THAT(activated, Succeeds());
    EXPECT_TRUE(activated->equals(secret.reveal()));
    Credential changed = credential;
    changed.blob.back() ^= 1U;
    EXPECT_THAT(tpm.activate_credential(changed), Fails(ErrorCode::kKeyUnavailable));
    const auto inner = crypto::SecretBytes::random(kInnerKeySize);
    for (const auto type : {crypto::KeyType::kEcdhP256, crypto::KeyType::kX25519}) {
      const auto key = *crypto::PrivateKey::generate(type);
      Duplicate wrapped = *make_duplicate(tpm.endorsement_key(), key, Digest{}, inner);
      const auto blob = tpm.import(wrapped, inner);
      ASSERT_THAT(blob, Succeeds());
      EXPECT_THAT(tpm.load(wrapped.object, *blob), Succeeds());
      wrapped.blob.back() ^= 1U;
      EXPECT_THAT(tpm.import(wrapped, inner), Fails(ErrorCode::kKeyUnavailable));
    }
  }
};

TEST_F(EndorsementKeys, OfAllKindsTakeCredentialsAndKeys) {
  SoftwareTpm device;
  for (const EndorsementProfile& profile : endorsement_profiles()) {
    SCOPED_TRACE(profile.name);
    const auto tpm = Tpm::open({device.tcti(), profile.kind, std::nullopt});
    if (profile.kind == EndorsementKind::kRsa4096 && !tpm.ok()) {  // that of libtpms before 0.10
      EXPECT_THAT(tpm, FailsWith(ErrorCode::kUnsupported, HasSubstr("no keys of this kind")));
      continue;
    }
    ASSERT_THAT(tpm, Succeeds());
    expect_serves(**tpm);
    EXPECT_EQ(*(*tpm)->endorsement_certificate(), std::nullopt);
  }
}

// As manufacturers do: keys at persistent handles, certificates in NV memory.
TEST_F(EndorsementKeys, ThatTheMakerKeptAreUsedAndCertified) {
  if (SoftwareTpm::manufactured().empty()) GTEST_SKIP() << "swtpm_setup is not installed";
  SoftwareTpm device(SoftwareTpm::manufactured());
  EXPECT_EQ(*certified_kinds(device.tcti()),
            (std::vector{EndorsementKind::kP384, EndorsementKind::kRsa3072}));
  for (const auto kind : {EndorsementKind::kP384, EndorsementKind::kRsa3072}) {
    Name name;
    {
      const auto tpm = open(device.tcti(), kind);  // made from the template
      name = name_of(tpm->endorsement_key());
      const auto der = tpm->endorsement_certificate();
      ASSERT_THAT(der, Succeeds());
      ASSERT_TRUE(der->has_value());
      const auto certificate = x509::Certificate::parse_der(**der);
      ASSERT_THAT(certificate, Succeeds());
      EXPECT_EQ(certificate->spki(), *tpm->endorsement_key().spki());
    }
    TpmProxy proxy(device);
    const auto tpm = open(proxy.tcti(), kind, name);
    ASSERT_NE(tpm, nullptr);
    for (const ByteVector& command : proxy.commands()) {
      EXPECT_NE(tpm_code(command), 0x131U) << "TPM2_CreatePrimary, though the key is kept";
    }
    expect_serves(*tpm);
  }
}

TEST_F(EndorsementKeys, AreMadeWithTheMakersNonceAndTemplate) {
  SoftwareTpm device;
  const Name plain = name_of(open(device.tcti(), EndorsementKind::kP256)->endorsement_key());
  const ByteVector nonce(32, 0x6e);
  ASSERT_EQ(tpm_code(device.command(
                testing::tpm_nv_define(0x01c0000b, testing::kNvOwnerWrites, nonce.size()))),
            0U);
  ASSERT_EQ(tpm_code(device.command(testing::tpm_nv_write(0x01c0000b, nonce))), 0U);
  const Name with_nonce = name_of(open(device.tcti(), EndorsementKind::kP256)->endorsement_key());
  EXPECT_NE(with_nonce, plain);

  PublicArea own = endorsement_template(EndorsementKind::kP256);
  own.attributes |= kNoDa;
  const ByteVector bytes = serialize_public(own);
  ASSERT_EQ(tpm_code(device.command(
                testing::tpm_nv_define(0x01c0000c, testing::kNvOwnerWrites, bytes.size()))),
            0U);
  ASSERT_EQ(tpm_code(device.command(testing::tpm_nv_write(0x01c0000c, bytes))), 0U);
  const auto tpm = open(device.tcti(), EndorsementKind::kP256);
  EXPECT_EQ(tpm->endorsement_key().attributes, own.attributes);
  expect_serves(*tpm);
}

TEST_F(EndorsementKeys, OfATemplateThatSignsAreRefused) {
  SoftwareTpm device;
  const ByteVector bytes = serialize_public(attestation_p256());
  ASSERT_EQ(tpm_code(device.command(
                testing::tpm_nv_define(0x01c0000c, testing::kNvOwnerWrites, bytes.size()))),
            0U);
  ASSERT_EQ(tpm_code(device.command(testing::tpm_nv_write(0x01c0000c, bytes))), 0U);
  EXPECT_THAT(Tpm::open({device.tcti(), EndorsementKind::kP256, std::nullopt}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("no endorsement key")));
}

TEST_F(EndorsementKeys, BringTheChainThatTheMakerLeft) {
  SoftwareTpm device;
  EXPECT_TRUE(open(device.tcti(), EndorsementKind::kP256)->endorsement_chain()->empty());
  ByteVector first(900, 0x41);
  std::copy_n(ByteVector{0x30, 0x82, 0x03, 0x80}.begin(), 4, first.begin());
  ByteVector second = {0x30, 0x03, 1, 2, 3, 0xff, 0xff};
  // The first certificate goes on in the second index.
  ByteVector joined = first;
  joined.insert(joined.end(), second.begin(), second.end());
  std::uint32_t index = 0x01c00100;
  for (const Bytes part : {Bytes(joined).first(600), Bytes(joined).subspan(600)}) {
    ASSERT_EQ(tpm_code(device.command(
                  testing::tpm_nv_define(index, testing::kNvOwnerWrites, part.size()))),
              0U);
    ASSERT_EQ(tpm_code(device.command(testing::tpm_nv_write(index, part))), 0U);
    ++index;
  }
  const auto chain = open(device.tcti(), EndorsementKind::kP256)->endorsement_chain();
  ASSERT_THAT(chain, Succeeds());
  EXPECT_EQ(*chain, (std::vector<ByteVector>{first, {0x30, 0x03, 1, 2, 3}}));
}

class Passwords : public EndorsementKeys {
 protected:
  static PasswordSource source(std::string endorsement, std::string owner) {
    return [=](Hierarchy hierarchy) -> Result<crypto::SecretBytes> {
      return crypto::SecretBytes::copy_of(
          as_bytes(hierarchy == Hierarchy::kOwner ? owner : endorsement));
    };
  }
  void SetUp() override {
    EndorsementKeys::SetUp();
    if (IsSkipped()) return;
    device_.emplace();
    ASSERT_EQ(
        tpm_code(device_->command(testing::tpm_change_auth(testing::kTpmEndorsement, "for keys"))),
        0U);
    ASSERT_EQ(tpm_code(device_->command(testing::tpm_change_auth(testing::kTpmOwner, "for NV"))),
              0U);
  }
  std::optional<SoftwareTpm> device_;
};

TEST_F(Passwords, AreAskedForAndCrossNowhere) {
  TpmProxy proxy(*device_);
  for (const auto kind : {EndorsementKind::kP256, EndorsementKind::kP384}) {
    const auto tpm = open(proxy.tcti(), kind, std::nullopt, source("for keys", "for NV"));
    ASSERT_NE(tpm, nullptr);
    expect_serves(*tpm);
    const auto index = 0x01800100 + static_cast<std::uint32_t>(kind);
    ASSERT_THAT(tpm->define_counter(index), Succeeds());
    EXPECT_THAT(tpm->prove_counter(index), Succeeds());
    EXPECT_THAT(tpm->remove_counter(index), Succeeds());
  }
  EXPECT_EQ(proxy.crossed().find("for keys"), std::string::npos);
  EXPECT_EQ(proxy.crossed().find("for NV"), std::string::npos);
}

TEST_F(Passwords, ThatAreMissingOrWrongAreRefused) {
  EXPECT_THAT(Tpm::open({device_->tcti(), EndorsementKind::kP256, std::nullopt}),
              FailsWith(ErrorCode::kRefused, HasSubstr("endorsement hierarchy has a password")));
  EXPECT_THAT(Tpm::open({device_->tcti(), EndorsementKind::kP256, std::nullopt,
                         source("another", "for NV")}),
              Fails(ErrorCode::kRefused));
  const auto tpm =
      open(device_->tcti(), EndorsementKind::kP256, std::nullopt, source("for keys", "another"));
  ASSERT_NE(tpm, nullptr);
  EXPECT_THAT(tpm->define_counter(0x01800100), Fails(ErrorCode::kRefused));
}

TEST_F(Passwords, AreNotNeededForAKeyThatIsKeptAndHasNone) {
  if (SoftwareTpm::manufactured().empty()) GTEST_SKIP() << "swtpm_setup is not installed";
  SoftwareTpm device(SoftwareTpm::manufactured());
  const Name name = name_of(open(device.tcti(), EndorsementKind::kP384)->endorsement_key());
  ASSERT_EQ(tpm_code(device.command(testing::tpm_change_auth(testing::kTpmEndorsement, "x"))), 0U);
  const auto tpm = open(device.tcti(), EndorsementKind::kP384, name);
  ASSERT_NE(tpm, nullptr);
  const auto inner = crypto::SecretBytes::random(kInnerKeySize);
  const auto key = *crypto::PrivateKey::generate(crypto::KeyType::kX25519);
  const auto wrapped = *make_duplicate(tpm->endorsement_key(), key, Digest{}, inner);
  EXPECT_THAT(tpm->import(wrapped, inner), Succeeds());
}

}  // namespace
}  // namespace sealpack::tpm
