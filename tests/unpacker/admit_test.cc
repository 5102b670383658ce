// SPDX-License-Identifier: Apache-2.0
// Which slots a release admits, and which keys.
#include "tests/testing/result_matchers.h"
#include "tests/testing/test_bundle.h"
#include "unpacker/core/bundle.h"

namespace sealpack::unpacker {
namespace {

using bundle::Slot;
using bundle::SlotClass;
using crypto::KeyType;
using sealpack::testing::build;
using sealpack::testing::digest_of;
using sealpack::testing::Fails;
using sealpack::testing::make_key;
using sealpack::testing::make_keys;
using sealpack::testing::memory;
using sealpack::testing::Recipe;
using sealpack::testing::Succeeds;
using sealpack::testing::TestKeys;
using sealpack::testing::trust_in;

const TestKeys& keys() {
  static const TestKeys kept = make_keys();
  return kept;
}

// A release for attested environments, with the escrow key if there is one.
Result<VerifiedBundle> verify_attested(const std::optional<Digest>& escrow) {
  Recipe recipe;
  recipe.edit_release = [&](bundle::Release& release) {
    release.policy = {{}, {{"tdx", {{"measurement", {{1}}, 0, {}}}}}};
    if (escrow) release.escrow = bundle::Escrow{*escrow, "way back"};
  };
  return TRY(UnverifiedBundle::open(memory(build(keys(), recipe).bytes())))
      .verify(trust_in(keys()), {});
}
Result<VerifiedBundle> verify_for_anyone() {
  return TRY(UnverifiedBundle::open(memory(build(keys()).bytes()))).verify(trust_in(keys()), {});
}

Slot wrap(const VerifiedBundle& verified, SlotClass slot_class, const crypto::ContentKey& key) {
  const auto to = crypto::EncryptionKey::from_spki(keys().recipient.spki()).value();
  return slots::wrap_for(to, slot_class, verified.slot_binding(), key).value();
}

Status admit(const VerifiedBundle& verified, const Slot& slot) {
  (void)TRY(verified.admit(slot, *keys().recipient.decryptor().value()));
  return done();
}

TEST(Admit, TakesDirectSlotsOnlyWhereThePolicyDoes) {
  const auto anyone = verify_for_anyone();
  EXPECT_THAT(admit(*anyone, wrap(*anyone, SlotClass::kDirect, keys().content)), Succeeds());
  EXPECT_THAT(admit(*anyone, wrap(*anyone, SlotClass::kAttested, keys().content)), Succeeds());
  for (const std::optional<Digest>& escrow :
       {std::optional<Digest>(), std::optional<Digest>(Digest{{9}})}) {
    const auto attested = verify_attested(escrow);
    ASSERT_THAT(attested, Succeeds());
    EXPECT_THAT(admit(*attested, wrap(*attested, SlotClass::kDirect, keys().content)),
                Fails(ErrorCode::kRefused));
    EXPECT_THAT(admit(*attested, wrap(*attested, SlotClass::kAttested, keys().content)),
                Succeeds());
  }
}

TEST(Admit, TakesTheEscrowKeyThatTheReleaseNames) {
  const auto attested = verify_attested(digest_of(keys().recipient));
  ASSERT_THAT(attested, Succeeds());
  EXPECT_THAT(admit(*attested, wrap(*attested, SlotClass::kDirect, keys().content)), Succeeds());
}

TEST(Admit, RefusesADirectSlotThatCallsItselfAttested) {
  const auto attested = verify_attested(std::nullopt);
  Slot slot = wrap(*attested, SlotClass::kDirect, keys().content);
  slot.slot_class = SlotClass::kAttested;
  EXPECT_THAT(admit(*attested, slot), Fails(ErrorCode::kKeyUnavailable));
}

TEST(Admit, JudgesSymmetricKeysAndPassphrasesToo) {
  const auto wrapping = crypto::WrappingKey::random();
  const auto attested = verify_attested(slots::symmetric_key_id(wrapping));
  ASSERT_THAT(attested, Succeeds());
  const auto binding = attested->slot_binding();
  const Slot by_key = slots::wrap_symmetric(wrapping, SlotClass::kDirect, binding, keys().content);
  EXPECT_THAT(attested->admit(by_key, wrapping), Succeeds());  // the escrow key
  const Slot by_passphrase = slots::wrap_passphrase(wrapping, {}, 1, 8, binding, keys().content);
  EXPECT_THAT(attested->admit(by_passphrase, wrapping), Fails(ErrorCode::kRefused));
  const auto other = crypto::WrappingKey::random();
  const Slot by_other = slots::wrap_symmetric(other, SlotClass::kDirect, binding, keys().content);
  EXPECT_THAT(attested->admit(by_other, other), Fails(ErrorCode::kRefused));
  const auto anyone = verify_for_anyone();
  const Slot for_anyone =
      slots::wrap_passphrase(wrapping, {}, 1, 8, anyone->slot_binding(), keys().content);
  EXPECT_THAT(anyone->admit(for_anyone, wrapping), Succeeds());
}

// Whoever can write the file can make slots for a public key, but not with the committed key.
TEST(Admit, RefusesASlotThatHoldsAnotherKey) {
  const auto verified = verify_for_anyone();
  EXPECT_THAT(admit(*verified, wrap(*verified, SlotClass::kDirect, crypto::ContentKey::random())),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST(Admit, RefusesASlotOfAnotherBundle) {
  const auto first = verify_for_anyone();
  const auto second = verify_for_anyone();
  EXPECT_THAT(admit(*first, second->slots()[0]), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(admit(*first, first->slots()[0]), Succeeds());
}

}  // namespace
}  // namespace sealpack::unpacker
