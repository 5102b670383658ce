// SPDX-License-Identifier: Apache-2.0
// Keys that hardware releases to a measured environment, and attested slots that nothing else
// opens.
#include <gtest/gtest.h>

#include "tests/runtime-loader/core/model_bundle.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using testing::Setting;

// A bundle with an attested slot for a device, in a release that opens on measured machines.
class DeviceKeys : public ::testing::Test {
 protected:
  DeviceKeys() {
    setting_.recipe.edit_content = [this](bundle::Content& content) {
      binding_.uuid = content.uuid;
      binding_.authority = content.authority;
    };
    setting_.recipe.edit_head = [this](bundle::Head& head) {
      head.slots = {*slots::wrap_for(*crypto::EncryptionKey::from_spki(device_.spki()),
                                     bundle::SlotClass::kAttested, binding_,
                                     setting_.keys.content)};
    };
    setting_.make_bundle([this](bundle::Release& release) {
      bundle::Environment environment;
      environment.tee = "tpm";
      bundle::ClaimRule rule;
      rule.claim = "pcr_digest";
      rule.ignore_because = "a test";
      environment.rules = {rule};
      release.policy.environments = {environment};
      release.policy.anyone_because.clear();
      binding_.content_digest = release.content_digest;
    });
    setting_.backend = {"tpm", {}, false, true};
  }

  Session start() {
    auto session = setting_.start();
    EXPECT_THAT(session, Succeeds());
    EXPECT_THAT(setting_.add(*session), Succeeds());
    return *std::move(session);
  }

  Setting setting_;
  slots::Binding binding_;
  crypto::PrivateKey device_ = *crypto::PrivateKey::generate(crypto::KeyType::kEcdhP256);
  std::unique_ptr<crypto::Decryptor> key_ = *device_.decryptor();
};

TEST_F(DeviceKeys, OpenAttestedSlots) {
  Session session = start();
  ASSERT_THAT(session.unlock_device(1, *key_), Succeeds());
  EXPECT_NE(session.opened(1), nullptr);
  EXPECT_THAT(session.unlock_device(1, *key_), Fails(ErrorCode::kUsage));
}

TEST_F(DeviceKeys, NeedABackendThatHasSome) {
  setting_.backend.device_keys = false;
  Session session = start();
  EXPECT_THAT(session.unlock_device(1, *key_), Fails(ErrorCode::kUnsupported));
  EXPECT_EQ(session.last_refusal().stage, Stage::kKey);
}

TEST_F(DeviceKeys, NeedAReleaseForThisKindOfEnvironment) {
  setting_.backend.tee = "sev-snp";
  Session session = start();
  EXPECT_THAT(session.unlock_device(1, *key_),
              FailsWith(ErrorCode::kRefused, HasSubstr("environment of type sev-snp")));
}

TEST_F(DeviceKeys, AreNotOthersKeys) {
  Session session = start();
  const auto other = *crypto::PrivateKey::generate(crypto::KeyType::kEcdhP256);
  EXPECT_THAT(session.unlock_device(1, *other.decryptor().value()),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(DeviceKeys, ObeyTheCounterFloor) {
  setting_.config.owners[0].counter_required = true;
  Session session = start();
  EXPECT_THAT(session.unlock_device(1, *key_), Succeeds());
}

TEST_F(DeviceKeys, InHandDoNotOpenAttestedSlots) {
  for (const bool host_holds_keys : {false, true}) {
    setting_.backend.host_holds_keys = host_holds_keys;
    Session session = start();
    EXPECT_THAT(session.unlock(1, *key_), FailsWith(ErrorCode::kRefused, HasSubstr("attested")));
    const bundle::Slot slot = session.verified(1)->slots()[0];
    EXPECT_THAT(session.unlock_with(1, slot, *key_),
                FailsWith(ErrorCode::kRefused, HasSubstr("attested")));
  }
}

TEST(DeviceKeysAndDirectSlots, DoNotMeet) {
  Setting setting;
  setting.backend = {"tpm", {}, false, true};
  auto session = setting.start();
  ASSERT_THAT(session, Succeeds());
  ASSERT_THAT(setting.add(*session), Succeeds());
  EXPECT_THAT(session->unlock_device(1, *setting.keys.recipient.decryptor().value()),
              FailsWith(ErrorCode::kRefused, HasSubstr("attested slots alone")));
}

}  // namespace
}  // namespace sealpack::loader
