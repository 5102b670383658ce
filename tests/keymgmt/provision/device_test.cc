// SPDX-License-Identifier: Apache-2.0
// A vendor and devices with TPMs in software: from the request to the key's use.
#include <algorithm>
#include <ctime>

#include "keymgmt/provision/key_policy.h"
#include "tests/keymgmt/provision/enrolled_device.h"
#include "tests/keymgmt/tpm/tpm_command.h"

namespace sealpack::provision {
namespace {

using testing::Device;
using testing::Fails;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::kScope;
using testing::Succeeds;
using testing::Vendor;

class ProvisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::SoftwareTpm::is_installed()) GTEST_SKIP() << "swtpm is not installed";
  }
};

// Whether the device's key opens what was sealed to the product.
bool opens(const DeviceKey& key, const Vendor& vendor) {
  const auto recipient = *crypto::EncryptionKey::from_spki(vendor.product.spki());
  const auto sealed = *crypto::hpke_seal(recipient, as_bytes("info"), {}, as_bytes("content key"));
  const auto plain = key.decryptor().hpke_open(sealed.enc, as_bytes("info"), {}, sealed.ciphertext);
  return plain.ok() && plain->equals(as_bytes("content key"));
}

TEST_F(ProvisionTest, AnEnrolledDeviceOpensOnceABoot) {
  for (const auto type : {crypto::KeyType::kX25519, crypto::KeyType::kEcdhP256}) {
    const Vendor vendor(type);
    Device device;
    const auto installed = device.enrol(vendor);
    ASSERT_THAT(installed, Succeeds());
    const auto policy = *vendor.boot_policy(device.tpm(), 1);
    {
      const auto key = device.open(installed->key, {policy});
      ASSERT_THAT(key, Succeeds());
      EXPECT_TRUE(opens(**key, vendor));
      EXPECT_TRUE(opens(**key, vendor)) << "several bundles may be opened";
      ASSERT_THAT((*key)->cap(), Succeeds());
    }
    EXPECT_THAT(device.open(installed->key, {policy}),
                FailsWith(ErrorCode::kRefused, HasSubstr("PCR 15")));
    device.reboot();
    const auto again = device.open(installed->key, {policy});
    ASSERT_THAT(again, Succeeds());
    EXPECT_TRUE(opens(**again, vendor));
  }
}

TEST_F(ProvisionTest, AKeyOfTheTpmIsOfNoUseAfterTheCapEvenWhereItIsLoaded) {
  const Vendor vendor(crypto::KeyType::kEcdhP256);
  Device device;
  const auto installed = device.enrol(vendor);
  const auto key = device.open(installed->key, {*vendor.boot_policy(device.tpm(), 1)});
  ASSERT_THAT(key, Succeeds());
  ASSERT_THAT((*key)->cap(), Succeeds());
  EXPECT_FALSE(opens(**key, vendor));
}

TEST_F(ProvisionTest, ForgettingToCapCaps) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  ASSERT_THAT(device.open(installed->key, {policy}), Succeeds());
  EXPECT_THAT(device.open(installed->key, {policy}), Fails(ErrorCode::kRefused));
}

TEST_F(ProvisionTest, ARefusedDeviceDoesNotLoseItsBoot) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  EXPECT_THAT(device.open(installed->key, {}),
              FailsWith(ErrorCode::kRefused, HasSubstr("no boot")));
  EXPECT_THAT(device.open(installed->key, {policy}), Succeeds());
}

TEST_F(ProvisionTest, EndorsementKeysOfAllKindsServe) {
  for (const tpm::EndorsementProfile& profile : tpm::endorsement_profiles()) {
    SCOPED_TRACE(profile.name);
    const testing::SoftwareTpm machine;
    const auto made = tpm::Tpm::open({machine.tcti(), profile.kind, std::nullopt});
    if (profile.kind == tpm::EndorsementKind::kRsa4096 && !made.ok()) {  // libtpms before 0.10
      EXPECT_THAT(made, Fails(ErrorCode::kUnsupported));
      continue;
    }
    const Vendor vendor(crypto::KeyType::kEcdhP256);
    Device device(profile.kind);
    const auto installed = device.enrol(vendor);
    ASSERT_THAT(installed, Succeeds());
    const auto key = device.open(installed->key, {*vendor.boot_policy(device.tpm(), 1)});
    ASSERT_THAT(key, Succeeds());
    EXPECT_TRUE(opens(**key, vendor));
    const auto again = tpm::parse_key_blob(tpm::serialize_key_blob(installed->key));
    ASSERT_THAT(again, Succeeds());
    EXPECT_EQ(*again, installed->key);
  }
}

TEST_F(ProvisionTest, ADamagedChainInATpmStandsInNobodysWay) {
  testing::SoftwareTpm machine;
  const ByteVector cut = {0x30, 0x82, 0x03, 0x80, 1, 2, 3};
  ASSERT_EQ(testing::tpm_code(machine.command(
                testing::tpm_nv_define(0x01c00100, testing::kNvOwnerWrites, cut.size()))),
            0U);
  ASSERT_EQ(testing::tpm_code(machine.command(testing::tpm_nv_write(0x01c00100, cut))), 0U);
  const auto tpm = tpm::Tpm::open({machine.tcti(), tpm::EndorsementKind::kP256, std::nullopt});
  ASSERT_THAT(tpm, Succeeds());
  ASSERT_FALSE((*tpm)->endorsement_chain().ok());
  const auto made = make_request(**tpm, tpm::EndorsementKind::kP256, {}, Epoch::kKeep);
  ASSERT_THAT(made, Succeeds());
  EXPECT_TRUE(made->chain.empty());
}

// A TPM as it leaves its maker, who certified keys of the high range.
TEST_F(ProvisionTest, ATpmIsBelievedUpToTheRootOfItsMaker) {
  if (testing::SoftwareTpm::manufactured().empty()) GTEST_SKIP() << "swtpm_setup is not installed";
  const testing::SoftwareTpm machine(testing::SoftwareTpm::manufactured());
  const auto folder = testing::SoftwareTpm::maker_certificates();
  DeviceTrust trust;
  trust.now = static_cast<std::uint64_t>(std::time(nullptr)) + 60;
  for (const char* name : {"ca.pem", "swtpm-localca-rootca-cert.pem"}) {
    const std::string pem = testing::content_of(folder / name);
    const auto certificates = x509::Certificate::parse_pem(as_bytes(pem));
    ASSERT_THAT(certificates, Succeeds());
    trust.pool.push_back(certificates->front());
  }
  for (const auto kind : {tpm::EndorsementKind::kP384, tpm::EndorsementKind::kRsa3072}) {
    const auto tpm = tpm::Tpm::open({machine.tcti(), kind, std::nullopt});
    ASSERT_THAT(tpm, Succeeds());
    const auto made = make_request(**tpm, kind, {}, Epoch::kKeep);
    ASSERT_THAT(made, Succeeds());
    const auto request = parse_request(serialize(*made));
    ASSERT_THAT(request, Succeeds());
    EXPECT_EQ(*request, *made);
    EXPECT_FALSE(judge_device(*request, trust).empty());
    DeviceTrust with_root = trust;
    with_root.roots = {trust.pool.back().key_digest()};
    for (const Reason& reason : judge_device(*request, with_root)) {
      ADD_FAILURE() << reason.code << ": " << reason.text;
    }
    EnrolRequest other = *request;
    other.endorsement.unique[0] ^= 1U;
    EXPECT_FALSE(judge_device(other, with_root).empty());
    const Vendor vendor;
    const auto enrolment = vendor.answer(*request);
    ASSERT_THAT(enrolment, Succeeds());
    const auto installed =
        install_answer(**tpm, kind, enrolment->answer, vendor.grantor->public_key());
    ASSERT_THAT(installed, Succeeds());
    EXPECT_THAT(check_proof(enrolment->record, installed->proof), Succeeds());
  }
}

TEST_F(ProvisionTest, AnotherMeasurementIsRefusedByNameAndByTheTpm) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  ASSERT_THAT(device.tpm().extend_pcr(9, Digest{}), Succeeds());
  EXPECT_THAT(device.open(installed->key, {policy}),
              FailsWith(ErrorCode::kRefused, HasSubstr("PCR 9 is")));
  // A loader that does not look first gets no further.
  const BootPolicy parsed = *verify_boot_policy(installed->key, policy);
  const auto run = policy_run(parsed, parsed.environments[0], terms_of(installed->key));
  const auto object = device.tpm().load(installed->key.object, installed->key.private_part);
  ASSERT_THAT(object, Succeeds());
  EXPECT_THAT(device.tpm().unseal(*object, run), Fails(ErrorCode::kRefused));
}

TEST_F(ProvisionTest, EachOfSeveralEnvironmentsOpens) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  BootTerms terms;
  terms.scope = kScope;
  terms.environments.push_back({*device.tpm().read_pcrs(testing::kMeasured)});
  terms.environments.push_back(terms.environments[0]);
  terms.environments[0].values[0].value.bytes[0] = 1;
  EXPECT_THAT(device.open(installed->key, {*sign_boot_policy(terms, *vendor.grantor)}), Succeeds());
}

TEST_F(ProvisionTest, AConfirmedPolicyRefusesTheOnesBefore) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto first = *vendor.boot_policy(device.tpm(), 1);
  const auto second = *vendor.boot_policy(device.tpm(), 2);
  // Installed is not confirmed: the device may fall back.
  ASSERT_THAT(device.open(installed->key, {first}), Succeeds());
  device.reboot();
  ASSERT_THAT(
      confirm_policy(device.tpm(), installed->key, *verify_boot_policy(installed->key, second)),
      Succeeds());
  EXPECT_THAT(device.open(installed->key, {first}),
              FailsWith(ErrorCode::kRefused, HasSubstr("older than number 2")));
  EXPECT_THAT(device.open(installed->key, {second}), Succeeds());
}

TEST_F(ProvisionTest, TheTpmItselfRefusesARolledBackPolicy) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const BootPolicy old = *verify_boot_policy(installed->key, *vendor.boot_policy(device.tpm(), 1));
  const BootPolicy newer =
      *verify_boot_policy(installed->key, *vendor.boot_policy(device.tpm(), 2));
  ASSERT_THAT(confirm_policy(device.tpm(), installed->key, newer), Succeeds());
  const KeyTerms terms = terms_of(installed->key);
  const auto object = device.tpm().load(installed->key.object, installed->key.private_part);
  EXPECT_THAT(device.tpm().unseal(*object, policy_run(old, old.environments[0], terms)),
              Fails(ErrorCode::kRefused));
  EXPECT_THAT(device.tpm().unseal(*object, policy_run(newer, newer.environments[0], terms)),
              Succeeds());
}

TEST_F(ProvisionTest, OnlyWhatBootedIsConfirmed) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto next = *vendor.boot_policy(device.tpm(), 2);
  ASSERT_THAT(device.tpm().extend_pcr(4, Digest{}), Succeeds());
  EXPECT_THAT(
      confirm_policy(device.tpm(), installed->key, *verify_boot_policy(installed->key, next)),
      FailsWith(ErrorCode::kRefused, HasSubstr("PCR 4")));
}

TEST_F(ProvisionTest, ConfirmingWorksAfterTheCap) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 3);
  const auto key = device.open(installed->key, {policy});
  ASSERT_THAT((*key)->cap(), Succeeds());
  EXPECT_THAT(
      confirm_policy(device.tpm(), installed->key, *verify_boot_policy(installed->key, policy)),
      Succeeds());
}

TEST_F(ProvisionTest, PoliciesOfOthersAreRefused) {
  const Vendor vendor;
  const Vendor stranger;
  Device device;
  const auto installed = device.enrol(vendor);
  EXPECT_THAT(verify_boot_policy(installed->key, *stranger.boot_policy(device.tpm(), 1)),
              Fails(ErrorCode::kNotAuthentic));
  BootTerms terms;
  terms.scope = {kScope.authority, "doorbell"};
  terms.environments.push_back({*device.tpm().read_pcrs(testing::kMeasured)});
  EXPECT_THAT(verify_boot_policy(installed->key, *sign_boot_policy(terms, *vendor.grantor)),
              FailsWith(ErrorCode::kRefused, HasSubstr("doorbell")));
  terms.scope = kScope;
  terms.policy_index = 0x01800001;
  EXPECT_THAT(verify_boot_policy(installed->key, *sign_boot_policy(terms, *vendor.grantor)),
              FailsWith(ErrorCode::kRefused, HasSubstr("NV index")));
  // A statement of another kind by the same key.
  auto floors = *sign_floors(*device.request(), {}, *vendor.grantor);
  EXPECT_THAT(verify_boot_policy(installed->key, floors), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(ProvisionTest, AnAnswerIsForOneDevice) {
  const Vendor vendor;
  Device device;
  Device other;
  const auto enrolment = vendor.answer(*device.request());
  ASSERT_THAT(enrolment, Succeeds());
  ASSERT_THAT(other.request(), Succeeds());
  EXPECT_THAT(other.install(vendor, enrolment->answer),
              FailsWith(ErrorCode::kRefused, HasSubstr("another device")));
  EXPECT_THAT(device.install(Vendor(), enrolment->answer), Fails(ErrorCode::kNotAuthentic));
  auto changed = enrolment->answer;
  changed.payload.back() ^= 1U;
  EXPECT_THAT(device.install(vendor, changed), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(device.install(vendor, enrolment->answer), Succeeds());
}

TEST_F(ProvisionTest, AForgedDeviceNameDoesNotOpenTheCredential) {
  const Vendor vendor;
  Device device;
  Device thief;
  // The thief passes the other device's endorsement key off as the one of his own attestation key.
  EnrolRequest request = *device.request();
  request.attestation = *thief.tpm().attestation_key();
  const auto enrolment = vendor.answer(request);
  ASSERT_THAT(enrolment, Succeeds());
  EXPECT_THAT(device.install(vendor, enrolment->answer), Fails(ErrorCode::kKeyUnavailable));
  ASSERT_THAT(thief.request(), Succeeds());
  EXPECT_THAT(thief.install(vendor, enrolment->answer), Fails(ErrorCode::kRefused));
}

TEST_F(ProvisionTest, AProofIsThatOfTheRecord) {
  const Vendor vendor;
  Device device;
  const auto enrolment = *vendor.answer(*device.request());
  const auto installed = *device.install(vendor, enrolment.answer);
  EXPECT_THAT(check_proof(enrolment.record, installed.proof), Succeeds());
  EnrolProof wrong = installed.proof;
  wrong.proof.bytes[0] ^= 1U;
  EXPECT_THAT(check_proof(enrolment.record, wrong), Fails(ErrorCode::kNotAuthentic));
  Device other;
  const auto of_other = *other.install(vendor, vendor.answer(*other.request())->answer);
  EXPECT_THAT(check_proof(enrolment.record, of_other.proof), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(ProvisionTest, AnswersWithAWeakerKeyAreRefused) {
  const Vendor vendor;
  Device device;
  const auto enrolment = *vendor.answer(*device.request());
  const EnrolAnswer good = *parse_answer(enrolment.answer.payload);
  const auto refuses = [&](const EnrolAnswer& answer) {
    const auto signed_again = *sign_statement(kAnswerType, serialize(answer), *vendor.grantor);
    return device.install(vendor, signed_again);
  };
  EnrolAnswer with_password = good;
  with_password.key.object.attributes |= tpm::kUserWithAuth;
  EXPECT_THAT(refuses(with_password), FailsWith(ErrorCode::kRefused, HasSubstr("attributes")));
  EnrolAnswer locks_out = good;
  locks_out.key.object.attributes &= ~tpm::kNoDa;
  EXPECT_THAT(refuses(locks_out), FailsWith(ErrorCode::kRefused, HasSubstr("attributes")));
  EnrolAnswer other_policy = good;
  other_policy.key.object.policy[0] ^= 1U;
  EXPECT_THAT(refuses(other_policy), FailsWith(ErrorCode::kRefused, HasSubstr("policy")));
  EnrolAnswer other_scope = good;
  other_scope.scope.product = "doorbell";
  EXPECT_THAT(refuses(other_scope), FailsWith(ErrorCode::kRefused, HasSubstr("policy")));
  EnrolAnswer other_minimum = good;
  other_minimum.minimum = 9;
  EXPECT_THAT(refuses(other_minimum), FailsWith(ErrorCode::kRefused, HasSubstr("policy")));
  EnrolAnswer other_key = good;
  other_key.recipient = to_vector(crypto::PrivateKey::generate(crypto::KeyType::kEcdhP256)->spki());
  EXPECT_THAT(refuses(other_key), FailsWith(ErrorCode::kRefused, HasSubstr("recipient")));
}

TEST_F(ProvisionTest, RevocationEndsTheKeyForGood) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), kMaxPolicyNumber);
  ASSERT_THAT(revoke_keys(device.tpm(), installed->key), Succeeds());
  EXPECT_THAT(device.open(installed->key, {policy}),
              FailsWith(ErrorCode::kRefused, HasSubstr("epoch")));
  // Even if the owner of the TPM starts the counter anew.
  ASSERT_THAT(device.tpm().remove_counter(Counters{}.policy_index), Succeeds());
  ASSERT_THAT(device.tpm().define_counter(Counters{}.policy_index), Succeeds());
  EXPECT_THAT(device.open(installed->key, {policy}), Fails(ErrorCode::kRefused));
}

TEST_F(ProvisionTest, EnrollingAgainStartsANewEpochAndEndsTheOldOne) {
  const Vendor vendor;
  Device device;
  const auto first = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  const auto old_answer = *vendor.answer(*device.request());
  const auto second = device.enrol(vendor, true);
  ASSERT_THAT(second, Succeeds());
  EXPECT_GT(second->key.binding->epoch, first->key.binding->epoch);
  EXPECT_THAT(device.open(first->key, {policy}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(device.install(vendor, old_answer.answer),
              FailsWith(ErrorCode::kRefused, HasSubstr("epoch")));
  EXPECT_THAT(device.open(second->key, {policy}), Succeeds());
}

TEST_F(ProvisionTest, AMinimumHoldsInANewEpoch) {
  const Vendor vendor;
  Device device;
  const auto policy_1 = *vendor.boot_policy(device.tpm(), 1);
  const auto policy_5 = *vendor.boot_policy(device.tpm(), 5);
  const auto installed = device.enrol(vendor, false, 5);
  ASSERT_THAT(installed, Succeeds());
  EXPECT_THAT(device.open(installed->key, {policy_1}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(device.open(installed->key, {policy_1, policy_5}), Succeeds());
}

TEST_F(ProvisionTest, ASwappedBoardIsNoticed) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  Device swapped;
  const auto policy = *vendor.boot_policy(swapped.tpm(), 1);
  EXPECT_THAT(swapped.open(installed->key, {policy}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another TPM")));
}

TEST_F(ProvisionTest, AnApprovalCannotBeMovedToOtherPcrs) {
  const Vendor vendor;
  Device device;
  const auto installed = device.enrol(vendor);
  const auto policy = *vendor.boot_policy(device.tpm(), 1);
  ASSERT_THAT(device.tpm().extend_pcr(9, Digest{}), Succeeds());
  BootPolicy forged = *parse_boot_policy(policy.payload);
  forged.environments[0].values[1] = (*device.tpm().read_pcrs(1U << 9U))[0].value;
  EXPECT_THAT(DeviceKey::open(device.shared(), installed->key, {forged}),
              Fails(ErrorCode::kRefused));
}

}  // namespace
}  // namespace sealpack::provision
