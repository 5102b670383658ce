// SPDX-License-Identifier: Apache-2.0
// Which bundles a session takes, and how they come to their keys.
#include "formats/bundle/labels.h"
#include "keymgmt/crypto/hash.h"
#include "runtime-loader/core/labels.h"
#include "tests/runtime-loader/core/model_bundle.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::loader {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using sealpack::testing::verifying_key;
using ::testing::HasSubstr;
using testing::Setting;

bundle::MeasurementPolicy simulated_only() {
  bundle::MeasurementPolicy policy;
  policy.environments = {{"simulated", {{"measurement", {}, 0, "a test"}}}};
  return policy;
}

class Sessions : public ::testing::Test {
 protected:
  // A broker is pinned, and the release opens in simulated TEEs alone.
  void attest() {
    setting_.make_bundle([](bundle::Release& release) { release.policy = simulated_only(); });
    setting_.config.owners[0].broker = verifying_key(broker_);
    setting_.backend.host_holds_keys = false;
  }
  Setting setting_;
  crypto::PrivateKey broker_ = make_key(crypto::KeyType::kEd25519);
};

TEST_F(Sessions, OpenABundleWithARecipientsKey) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_NE(session.verified(1), nullptr);
  EXPECT_EQ(session.opened(1), nullptr);
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  ASSERT_NE(session.opened(1), nullptr);
  EXPECT_EQ(session.verified(1), &session.opened(1)->verified());
}

TEST_F(Sessions, RefuseAnotherSigner) {
  setting_.config.owners[0].trust = sealpack::testing::trust_in(sealpack::testing::make_keys());
  auto session = setting_.start().value();
  EXPECT_THAT(setting_.add(session), Fails(ErrorCode::kNotAuthentic));
  EXPECT_EQ(session.last_refusal(), (Refusal{ErrorCode::kNotAuthentic, Stage::kVerify, 0}));
  EXPECT_EQ(session.verified(1), nullptr);
}

TEST_F(Sessions, RefuseAnotherProduct) {
  setting_.config.owners[0].trust.product = "another";
  auto session = setting_.start().value();
  EXPECT_THAT(setting_.add(session), Fails(ErrorCode::kRefused));
}

TEST_F(Sessions, RefuseAnotherKey) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  const auto other = make_key(crypto::KeyType::kX25519);
  EXPECT_THAT(session.unlock(1, *other.decryptor().value()), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_EQ(session.last_refusal().stage, Stage::kKey);
  EXPECT_THAT(setting_.unlock(session), Succeeds());  // the right one still opens it
}

TEST_F(Sessions, RefuseOwnersAndRolesTheyDoNotKnow) {
  auto session = setting_.start().value();
  AddBundle how;
  how.owner = "somebody";
  EXPECT_THAT(session.add_bundle(1, setting_.source, how), Fails(ErrorCode::kUsage));
  how.owner = "vendor";
  how.role = "A role!";
  EXPECT_THAT(session.add_bundle(1, setting_.source, how), Fails(ErrorCode::kMalformed));
}

TEST_F(Sessions, HoldSeveralBundlesOfSeveralOwners) {
  Setting other;
  other.config.owners[0].name = "hospital";
  setting_.config.owners.insert(setting_.config.owners.begin(), other.config.owners[0]);
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  AddBundle how;
  how.owner = "hospital";
  how.role = "adapter";
  ASSERT_THAT(session.add_bundle(2, other.source, how), Succeeds());
  EXPECT_THAT(setting_.unlock(session), Succeeds());
  EXPECT_THAT(other.unlock(session, 2), Succeeds());
  // The bundle of one is not the other's.
  EXPECT_THAT(session.add_bundle(3, setting_.source, how), Fails(ErrorCode::kNotAuthentic));
  EXPECT_THAT(session.add_bundle(2, other.source, how), Fails(ErrorCode::kUsage));
  session.close_bundle(2);
  EXPECT_EQ(session.verified(2), nullptr);
  EXPECT_NE(session.opened(1), nullptr);
}

TEST_F(Sessions, AreLimitedInBundles) {
  auto session = setting_.start().value();
  for (BundleId id = 0; id < kMaxBundles; ++id) ASSERT_THAT(setting_.add(session, id), Succeeds());
  EXPECT_THAT(setting_.add(session, 100), Fails(ErrorCode::kUsage));
}

TEST_F(Sessions, RefuseALaunchConfigurationThatTrustsNobody) {
  setting_.config.owners.clear();
  EXPECT_THAT(setting_.start(), Fails(ErrorCode::kMalformed));
}

TEST_F(Sessions, RefuseToSealAnswersToAnRsaKey) {
  setting_.config.answer_key =
      crypto::EncryptionKey::from_spki(make_key(crypto::KeyType::kRsa3072).spki()).value();
  EXPECT_THAT(setting_.start(), Fails(ErrorCode::kUnsupported));
}

TEST_F(Sessions, RefuseToWidenTheAnswerRule) {
  setting_.make_bundle(
      [](bundle::Release& release) { release.answer.form = bundle::AnswerForm::kTop1; });
  setting_.config.answer.form = bundle::AnswerForm::kScores;
  auto session = setting_.start().value();
  EXPECT_THAT(setting_.add(session), Fails(ErrorCode::kRefused));
}

// ---- counters

TEST_F(Sessions, RaiseTheFloorByConfirmAlone) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  ASSERT_THAT(setting_.unlock(session), Succeeds());
  const auto& release = session.verified(1)->release();
  const Digest authority = session.verified(1)->content().authority;
  EXPECT_EQ(setting_.counters.floor(authority, release.product).value().counter, 0U);
  ASSERT_THAT(session.confirm(1), Succeeds());
  EXPECT_EQ(setting_.counters.floor(authority, release.product).value(),
            (Floor{release.counter, session.verified(1)->release_digest()}));
}

TEST_F(Sessions, RefuseBelowTheFloorAndAnotherReleaseAtIt) {
  const std::uint64_t counter = 7;  // of the test bundle
  const Digest authority = setting_.config.owners[0].trust.authorities[0];
  Floor& floor = setting_.counters.floors[{authority, "test product"}];
  auto session = setting_.start().value();
  floor = {counter + 1, std::nullopt};
  EXPECT_THAT(setting_.add(session), Fails(ErrorCode::kRefused));
  EXPECT_EQ(session.last_refusal().stage, Stage::kCounter);
  floor = {counter, Digest{}};
  EXPECT_THAT(setting_.add(session), FailsWith(ErrorCode::kRefused, HasSubstr("another release")));
  floor = {counter, std::nullopt};
  EXPECT_THAT(setting_.add(session), Succeeds());
  // Risen while it waited for its key.
  floor = {counter + 1, std::nullopt};
  EXPECT_THAT(setting_.unlock(session), Fails(ErrorCode::kRefused));
  EXPECT_EQ(session.opened(1), nullptr);
}

TEST_F(Sessions, DoNotConfirmWhatWasNeverOpened) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.confirm(1), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(session.confirm(2), Fails(ErrorCode::kUsage));
}

TEST_F(Sessions, NeedAFloorThatTheHostCannotTurnBackWhereOneIsRequired) {
  setting_.config.owners[0].counter_required = true;
  for (const CounterKind kind : {CounterKind::kNone, CounterKind::kFile}) {
    testing::MemoryCounter counters(kind);
    Services services{setting_.memory, counters};
    auto session =
        Session::create(serialize_launch(setting_.config), setting_.backend, services).value();
    ASSERT_THAT(setting_.add(session), Succeeds());
    EXPECT_THAT(setting_.unlock(session), FailsWith(ErrorCode::kRefused, HasSubstr("floor")));
    // An unsigned grant is the host's word.
    EXPECT_THAT(setting_.grant(session, {0, Floor{1, std::nullopt}}), Fails(ErrorCode::kRefused));
  }
  auto session = setting_.start().value();  // with a TPM
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(setting_.unlock(session), Succeeds());
}

TEST_F(Sessions, TakeTheFloorOfABrokersGrantWhereTheyKeepNone) {
  attest();
  setting_.config.owners[0].counter_required = true;
  NoCounter none;
  Services services{setting_.memory, none};
  const auto try_floor = [&](const std::optional<Floor>& floor) {
    auto session =
        Session::create(serialize_launch(setting_.config), setting_.backend, services).value();
    const Status added = setting_.add(session);
    if (!added.ok()) return added;
    return setting_.grant(session, {0, floor}, &broker_);
  };
  EXPECT_THAT(try_floor(Floor{7, std::nullopt}), Succeeds());
  EXPECT_THAT(try_floor(Floor{8, std::nullopt}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(try_floor(Floor{7, Digest{}}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(try_floor(std::nullopt), Fails(ErrorCode::kRefused));
}

// ---- grants

TEST_F(Sessions, OpenWithABrokersGrant) {
  attest();
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(setting_.grant(session, {1700000001, std::nullopt}, &broker_), Succeeds());
  EXPECT_NE(session.opened(1), nullptr);
}

TEST_F(Sessions, OpenWithTheHostsGrantWhereTheHostHoldsTheKeys) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(setting_.grant(session), Succeeds());
}

TEST_F(Sessions, BelieveNoUnsignedGrantElsewhere) {
  setting_.backend.host_holds_keys = false;
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.request_key(1, setting_.challenge), Fails(ErrorCode::kRefused));
}

TEST_F(Sessions, RefuseAHostsGrantForAReleaseThatRequiresAttestation) {
  setting_.make_bundle([](bundle::Release& release) { release.policy = simulated_only(); });
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(setting_.grant(session), FailsWith(ErrorCode::kRefused, HasSubstr("attested")));
  EXPECT_THAT(setting_.unlock(session), Fails(ErrorCode::kRefused));
}

TEST_F(Sessions, AskForNoKeyThatTheirEnvironmentMayNotHave) {
  attest();
  setting_.backend.tee = "tdx";
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.request_key(1, setting_.challenge),
              FailsWith(ErrorCode::kRefused, HasSubstr("tdx")));
}

TEST_F(Sessions, BelieveThePinnedBrokerAlone) {
  attest();
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  const auto other = make_key(crypto::KeyType::kEd25519);
  KeyRequest request = session.request_key(1, setting_.challenge).value();
  request.terms.broker = verifying_key(other).digest();
  const auto forged =
      make_key_grant(request, setting_.keys.content, {}, other.signer().value().get()).value();
  EXPECT_THAT(session.accept_grant(1, forged), Fails(ErrorCode::kNotAuthentic));
  EXPECT_EQ(session.opened(1), nullptr);
}

TEST_F(Sessions, TakeAGrantOnceAndInOneSession) {
  attest();
  const auto signer = broker_.signer().value();
  auto first = setting_.start().value();
  auto second = setting_.start().value();
  ASSERT_THAT(setting_.add(first), Succeeds());
  ASSERT_THAT(setting_.add(second), Succeeds());
  const KeyRequest request = first.request_key(1, setting_.challenge).value();
  ASSERT_THAT(second.request_key(1, setting_.challenge), Succeeds());
  const KeyGrant grant = make_key_grant(request, setting_.keys.content, {}, signer.get()).value();
  EXPECT_THAT(second.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
  // Refused, so that exchange is over.
  EXPECT_THAT(second.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
  EXPECT_THAT(first.accept_grant(1, grant), Succeeds());
  EXPECT_THAT(first.accept_grant(1, grant), Fails(ErrorCode::kUsage));
  first.close_bundle(1);
  ASSERT_THAT(setting_.add(first), Succeeds());
  EXPECT_THAT(first.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
  ASSERT_THAT(first.request_key(1, setting_.challenge), Succeeds());
  EXPECT_THAT(first.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Sessions, TakeNoGrantOfAnotherBundle) {
  attest();
  const auto signer = broker_.signer().value();
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session, 1), Succeeds());
  ASSERT_THAT(setting_.add(session, 2), Succeeds());
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  ASSERT_THAT(session.request_key(2, setting_.challenge), Succeeds());
  EXPECT_THAT(session.accept_grant(
                  2, make_key_grant(request, setting_.keys.content, {}, signer.get()).value()),
              Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Sessions, RefuseAGrantThatHoldsAnotherKey) {
  attest();
  const auto signer = broker_.signer().value();
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  EXPECT_THAT(
      session.accept_grant(
          1, make_key_grant(request, crypto::ContentKey::random(), {}, signer.get()).value()),
      Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Sessions, JudgeValidityByTheTimeOfTheGrant) {
  setting_.make_bundle([](bundle::Release& release) { release.not_after = 1700000100; });
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());  // the host says 1700000000
  EXPECT_THAT(setting_.grant(session, {1700000101, std::nullopt}),
              FailsWith(ErrorCode::kRefused, HasSubstr("expired")));
  EXPECT_THAT(setting_.grant(session, {1700000099, std::nullopt}), Succeeds());
}

TEST_F(Sessions, AskWithEvidenceOverTheTranscript) {
  attest();
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  EXPECT_EQ(request.evidence,
            crypto::hash(crypto::HashAlgorithm::kSha512, grant_transcript(request.terms)));
  EXPECT_EQ(request.terms.release, session.verified(1)->release_digest());
  EXPECT_NE(request.terms.public_key,
            session.request_key(1, setting_.challenge).value().terms.public_key);
}

TEST_F(Sessions, EndorseTheKeyTheySignWith) {
  auto session = setting_.start().value();
  const ByteVector statement =
      bundle::LengthPrefixed().add(kEndorseKeyLabel).add(session.tee_key().spki()).bytes();
  EXPECT_EQ(session.endorse_tee_key().value(),
            crypto::hash(crypto::HashAlgorithm::kSha512, statement));
  EXPECT_NE(setting_.start().value().tee_key().digest(), session.tee_key().digest());
}

TEST_F(Sessions, RefuseAChallengeThatIsNoChallenge) {
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.request_key(1, {{1, 2}, {}}), Fails(ErrorCode::kMalformed));
}

TEST_F(Sessions, SignReceiptsOfWhatTheyOpened) {
  setting_.backend.measurement.bytes.fill(5);
  auto session = setting_.start().value();
  ASSERT_THAT(setting_.add(session), Succeeds());
  EXPECT_THAT(session.receipt(1, {}), Fails(ErrorCode::kKeyUnavailable));
  ASSERT_THAT(setting_.grant(session, {1700000001, std::nullopt}), Succeeds());
  const ByteVector nonce = {1, 2};
  const auto receipt = verify_receipt(session.receipt(1, nonce).value(), session.tee_key());
  ASSERT_THAT(receipt, Succeeds());
  EXPECT_EQ(receipt->release, session.verified(1)->release_digest());
  EXPECT_EQ(receipt->counter, 7U);
  EXPECT_EQ(receipt->tee, "simulated");
  EXPECT_EQ(receipt->measurement, setting_.backend.measurement);
  EXPECT_EQ(receipt->launch, session.launch_digest());
  EXPECT_EQ(receipt->granted_at, 1700000001U);
  EXPECT_EQ(receipt->nonce, nonce);
  EXPECT_FALSE(receipt->loaded);
}

}  // namespace
}  // namespace sealpack::loader
