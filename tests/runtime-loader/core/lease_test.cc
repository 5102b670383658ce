// SPDX-License-Identifier: Apache-2.0
// Bundles that a broker opens for a time.
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

constexpr std::uint64_t kNow = 1700000000;  // by the broker's clock
constexpr Instance kInstance = {1, 2, 3};

// A TEE that started 1000 seconds ago and has a clock, and a broker that grants leases.
class Leases : public ::testing::Test {
 protected:
  Leases() {
    setting_.make_bundle([](bundle::Release& release) {
      release.policy = {};
      release.policy.environments = {{"simulated", {{"measurement", {}, 0, "a test"}}}};
    });
    setting_.config.owners[0].broker = verifying_key(broker_);
    setting_.backend.host_holds_keys = false;
    services_.evidence = &setting_.evidence;
    services_.seconds = [this] { return seconds_; };
  }

  Session start() {
    Session session =
        Session::create(serialize_launch(setting_.config), setting_.backend, services_).value();
    const Status added = setting_.add(session);
    if (!added.ok()) die(added.error().message().c_str());
    return session;
  }
  static GrantFacts lease(std::uint64_t seconds, Instance instance = kInstance) {
    GrantFacts facts;
    facts.unix_seconds = kNow;
    facts.lease_until = kNow + seconds;
    facts.instance = instance;
    return facts;
  }
  KeyGrant sign(const KeyRequest& request, const GrantFacts& facts) {
    return make_key_grant(request, setting_.keys.content, facts, signer_.get()).value();
  }
  // A request and its grant, which comes `later` seconds after.
  Status open(Session& session, const GrantFacts& facts, std::uint64_t later = 0) {
    const KeyRequest request = TRY(session.request_key(1, setting_.challenge));
    const KeyGrant grant = sign(request, facts);
    seconds_ += later;
    return session.accept_grant(1, grant);
  }
  Status run(Session& session) {
    const ByteVector bytes = testing::bytes_of(testing::some_input(1));
    const InputTensor input = testing::input_of(bytes);
    return session.begin_run(1, {&input, 1});
  }

  Setting setting_;
  std::uint64_t seconds_ = 1000;
  Services services_{setting_.memory, setting_.counters};
  crypto::PrivateKey broker_ = make_key(crypto::KeyType::kEd25519);
  std::unique_ptr<crypto::Signer> signer_ = broker_.signer().value();
};

TEST_F(Leases, RunToTheirEndAndNotBeyond) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  ASSERT_THAT(session.load(1, {}), Succeeds());
  seconds_ += 59;
  EXPECT_THAT(run(session), Succeeds());
  session.abandon_run();
  seconds_ += 1;
  EXPECT_THAT(run(session), FailsWith(ErrorCode::kRefused, HasSubstr("lease is over")));
  EXPECT_EQ(session.last_refusal(), (Refusal{ErrorCode::kRefused, Stage::kKey, 0}));
  EXPECT_THAT(session.load(1, {}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

// A run that was begun in time and then kept waiting for its inputs would be one for later.
TEST_F(Leases, EndForARunThatWaitsForItsInputs) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  ASSERT_THAT(session.load(1, {}), Succeeds());
  ASSERT_THAT(session.begin_run(1, {}), Succeeds());
  seconds_ += 60;
  const ByteVector bytes = testing::bytes_of(testing::some_input(1));
  ASSERT_THAT(session.add_input(testing::input_of(bytes)), Succeeds());
  EXPECT_THAT(session.advance_run(), FailsWith(ErrorCode::kRefused, HasSubstr("lease is over")));
  EXPECT_EQ(session.last_refusal(), (Refusal{ErrorCode::kRefused, Stage::kKey, 0}));
  EXPECT_FALSE(session.is_running());
}

TEST_F(Leases, DoNotEndWhereTheGrantSaysNoEnd) {
  Session session = start();
  ASSERT_THAT(open(session, {kNow}), Succeeds());
  ASSERT_THAT(session.load(1, {}), Succeeds());
  seconds_ = ~std::uint64_t{0};
  EXPECT_THAT(run(session), Succeeds());
  EXPECT_THAT(session.request_key(1, setting_.challenge), Fails(ErrorCode::kUsage));
}

// A host that keeps the grant for later has less of it, not the same later.
TEST_F(Leases, CountFromTheRequestOn) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60), 50), Succeeds());
  seconds_ += 9;
  EXPECT_THAT(session.check_lease(1), Succeeds());
  seconds_ += 1;
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, AreRefusedWhenTheyAreOverBeforeTheyCome) {
  Session session = start();
  EXPECT_THAT(open(session, lease(60), 60), FailsWith(ErrorCode::kRefused, HasSubstr("before")));
  EXPECT_EQ(session.opened(1), nullptr);
}

TEST_F(Leases, AreRefusedByATeeWithoutAClock) {
  services_.seconds = {};
  Session session = start();
  EXPECT_THAT(open(session, lease(60)), FailsWith(ErrorCode::kRefused, HasSubstr("no clock")));
  EXPECT_EQ(session.opened(1), nullptr);
}

TEST_F(Leases, NeedATimeToRun) {
  for (const auto& [made, until] :
       {std::pair<std::uint64_t, std::uint64_t>{0, kNow}, {kNow, kNow}, {kNow, kNow - 1}}) {
    Session session = start();
    GrantFacts facts = lease(0);
    facts.unix_seconds = made;
    facts.lease_until = until;
    EXPECT_THAT(open(session, facts), Fails(ErrorCode::kRefused)) << made << ' ' << until;
    EXPECT_EQ(session.opened(1), nullptr);
  }
}

TEST_F(Leases, AreProlongedByAGrantForTheSameInstance) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  ASSERT_THAT(session.load(1, {}), Succeeds());
  seconds_ += 30;
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  EXPECT_EQ(request.terms.renews, kInstance);
  ASSERT_THAT(session.accept_grant(1, sign(request, lease(60))), Succeeds());
  EXPECT_NE(session.model(1), nullptr);  // what is loaded stays
  seconds_ += 59;
  EXPECT_THAT(run(session), Succeeds());
  session.abandon_run();
  // Over, and taken up again.
  seconds_ += 10;
  EXPECT_THAT(run(session), Fails(ErrorCode::kRefused));
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  EXPECT_THAT(run(session), Succeeds());
}

TEST_F(Leases, DoNotAskToProlongWhatTheyDoNotHave) {
  Session session = start();
  EXPECT_EQ(session.request_key(1, setting_.challenge).value().terms.renews, std::nullopt);
}

TEST_F(Leases, AreNotProlongedForAnotherInstance) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  EXPECT_THAT(open(session, lease(600, {9})), FailsWith(ErrorCode::kRefused, HasSubstr("another")));
  seconds_ += 60;
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, AreNotProlongedByAGrantThatWasTakenAlready) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  const KeyGrant grant = sign(request, lease(60));
  seconds_ += 30;
  ASSERT_THAT(session.accept_grant(1, grant), Succeeds());
  EXPECT_THAT(session.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
  ASSERT_THAT(session.request_key(1, setting_.challenge), Succeeds());
  EXPECT_THAT(session.accept_grant(1, grant), Fails(ErrorCode::kKeyUnavailable));
  seconds_ += 30;  // 60 after the second request
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, AreNotProlongedByAnAnswerToAnEarlierRequest) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  const KeyRequest early = session.request_key(1, setting_.challenge).value();
  ASSERT_THAT(session.request_key(1, setting_.challenge), Succeeds());
  EXPECT_THAT(session.accept_grant(1, sign(early, lease(600))), Fails(ErrorCode::kKeyUnavailable));
}

TEST_F(Leases, AreNotProlongedWithAnotherKey) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  const KeyRequest request = session.request_key(1, setting_.challenge).value();
  const auto other =
      make_key_grant(request, crypto::ContentKey::random(), lease(600), signer_.get());
  EXPECT_THAT(session.accept_grant(1, other.value()), Fails(ErrorCode::kKeyUnavailable));
  seconds_ += 60;
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, AreNotProlongedForAReleaseBelowTheFloor) {
  Session session = start();
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  GrantFacts recalled = lease(600);
  recalled.floor = Floor{8, std::nullopt};  // the bundle's counter is 7
  EXPECT_THAT(open(session, recalled), Fails(ErrorCode::kRefused));
  EXPECT_THAT(session.check_lease(1), Succeeds());  // as it was
  seconds_ += 60;
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, MayBecomeShorter) {
  Session session = start();
  ASSERT_THAT(open(session, lease(600)), Succeeds());
  ASSERT_THAT(open(session, lease(5)), Succeeds());
  seconds_ += 5;
  EXPECT_THAT(session.check_lease(1), Fails(ErrorCode::kRefused));
}

TEST_F(Leases, DoNotWrapAround) {
  Session session = start();
  seconds_ = ~std::uint64_t{0} - 10;
  ASSERT_THAT(open(session, lease(60)), Succeeds());
  EXPECT_THAT(session.check_lease(1), Succeeds());
}

}  // namespace
}  // namespace sealpack::loader
