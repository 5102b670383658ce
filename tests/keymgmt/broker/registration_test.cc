// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/registration.h"

#include "keymgmt/slots/slots.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using bundle::SlotClass;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Recipe;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using testing::kNow;
using testing::Setting;

class Registrations : public ::testing::Test {
 protected:
  Registrations() {
    recipe_.edit_content = [&](bundle::Content& content) { content.uuid = {1}; };
    recipe_.edit_release = [&](bundle::Release& release) {
      release.policy = bundle::parse_release(setting_.release.head.release.payload)->policy;
    };
    recipe_.edit_head = [&](bundle::Head& head) { head.slots = slots_for(head); };
  }
  // What the bundle's head has; by default one slot for the broker.
  std::vector<bundle::Slot> slots_for(const bundle::Head& head) {
    binding_.uuid = {1};
    binding_.content_digest = bundle::parse_release(head.release.payload)->content_digest;
    binding_.authority = sealpack::testing::digest_of(setting_.vendor_keys.authority);
    if (!with_slot_) return {};
    return {wrap(setting_.recipient, slot_class_, setting_.vendor_keys.content)};
  }
  bundle::Slot wrap(const crypto::PrivateKey& to, SlotClass slot_class,
                    const crypto::ContentKey& key) {
    const auto recipient = crypto::EncryptionKey::from_spki(to.spki()).value();
    return slots::wrap_for(recipient, slot_class, binding_, key).value();
  }
  Result<RegisteredRelease> add(const std::vector<bundle::Grant>& grants = {}) {
    if (!source_) {
      source_ = sealpack::testing::memory(
          sealpack::testing::build(setting_.vendor_keys, recipe_).bytes());
    }
    const ServiceKeys keys = setting_.service_keys();
    return register_bundle(source_, setting_.vendor, {kNow}, grants, keys.recipients);
  }

  Setting setting_;
  Recipe recipe_;
  slots::Binding binding_;
  bool with_slot_ = true;
  SlotClass slot_class_ = SlotClass::kAttested;
  std::shared_ptr<const BlockSource> source_;
};

TEST_F(Registrations, TakeWhatTheVendorSigned) {
  const auto registered = add();
  ASSERT_THAT(registered, Succeeds());
  EXPECT_EQ(registered->vendor, "vendor");
  EXPECT_EQ(registered->product, "test product");
  EXPECT_EQ(registered->counter, 7U);
  EXPECT_EQ(registered->content, binding_.content_digest);
  EXPECT_EQ(registered->signers,
            std::vector<Digest>{sealpack::testing::digest_of(setting_.vendor_keys.authority)});
  EXPECT_EQ(registered->head.slots.size(), 1U);
}

TEST_F(Registrations, RefuseWhatTheVendorDidNotSign) {
  const auto stranger = make_key(crypto::KeyType::kEd25519);
  recipe_.signers = {&stranger};
  EXPECT_THAT(add(), Fails(ErrorCode::kNotAuthentic));
}

TEST_F(Registrations, RefuseABundleOfAnotherAuthority) {
  recipe_.edit_content = [](bundle::Content& content) { content.authority = Digest{{1}}; };
  EXPECT_THAT(add(), Fails(ErrorCode::kRefused));
}

TEST_F(Registrations, RefuseAReleaseForAnybody) {
  recipe_.edit_release = [](bundle::Release&) {};
  EXPECT_THAT(add(), FailsWith(ErrorCode::kRefused, HasSubstr("anybody")));
}

TEST_F(Registrations, RefuseAPolicyThatThisVersionDoesNotKnow) {
  recipe_.edit_release = [](bundle::Release& release) {
    bundle::ClaimRule rule;
    rule.claim = "colour";
    rule.accepted = {{1}};
    release.policy = {{}, {{"simulated", {rule}}}};
  };
  EXPECT_FALSE(add().ok());
}

TEST_F(Registrations, NeedASlotForTheBroker) {
  with_slot_ = false;
  EXPECT_THAT(add(), FailsWith(ErrorCode::kKeyUnavailable, HasSubstr("no slot")));
}

TEST_F(Registrations, TakeNoDirectSlot) {
  slot_class_ = SlotClass::kDirect;
  EXPECT_THAT(add(), Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Registrations, TakeASlotOutOfAGrantFile) {
  with_slot_ = false;
  ASSERT_FALSE(add().ok());  // fixes the binding
  const auto slot = wrap(setting_.recipient, SlotClass::kAttested, setting_.vendor_keys.content);
  const auto registered = add({{binding_.uuid, binding_.content_digest, slot}});
  ASSERT_THAT(registered, Succeeds());
  EXPECT_EQ(registered->head.slots, std::vector<bundle::Slot>{slot});
  EXPECT_THAT(add({{bundle::Uuid{2}, binding_.content_digest, slot}}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(add({{binding_.uuid, Digest{{1}}, slot}}), Fails(ErrorCode::kRefused));
}

TEST_F(Registrations, TakeNoSlotOfAnotherRecipientOrWithAnotherKey) {
  with_slot_ = false;
  ASSERT_FALSE(add().ok());
  const auto stranger = make_key(crypto::KeyType::kX25519);
  const auto other = wrap(stranger, SlotClass::kAttested, setting_.vendor_keys.content);
  EXPECT_THAT(add({{binding_.uuid, binding_.content_digest, other}}),
              Fails(ErrorCode::kKeyUnavailable));
  const auto wrong = wrap(setting_.recipient, SlotClass::kAttested, crypto::ContentKey::random());
  EXPECT_THAT(add({{binding_.uuid, binding_.content_digest, wrong}}),
              Fails(ErrorCode::kKeyUnavailable));
}

}  // namespace
}  // namespace sealpack::broker
