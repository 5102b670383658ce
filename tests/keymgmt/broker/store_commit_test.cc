// SPDX-License-Identifier: Apache-2.0
// What a service writes: nonces, leases, claims.

#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/crypto/random.h"
#include "tests/keymgmt/broker/store_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::Succeeds;
using namespace testing;

class Commits : public StoreTest {};

TEST_F(Commits, SpendANonceOnce) {
  const auto first = commit({decision(1), decision(2), decision(1)});
  EXPECT_EQ(first[0].kind, Outcome::Kind::kAccepted);
  EXPECT_EQ(first[1].kind, Outcome::Kind::kAccepted);
  EXPECT_EQ(first[1].index, first[0].index + 1);
  EXPECT_EQ(first[2].kind, Outcome::Kind::kNotLogged);
  EXPECT_EQ(first[2].reason.code, "broker.nonce-used");
  EXPECT_EQ(code_of(decision(2)), "broker.nonce-used");
  EXPECT_EQ(code_of(decision(3)), "");
  EXPECT_EQ(store().log_head()->size, first[1].index + 2);
}

TEST_F(Commits, DecideNothingUnderAStateThatIsOver) {
  const StateVersion version = store().version().value();
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}), Succeeds());
  const std::uint64_t size = store().log_head()->size;
  const Decision one = decision(1);
  EXPECT_TRUE(store().commit(version, {&one, 1})->stale);
  EXPECT_EQ(store().log_head()->size, size);
  EXPECT_EQ(code_of(one), "");
}

TEST_F(Commits, SpendNoncesWithoutAnEntryToo) {
  const std::uint64_t size = store().log_head()->size;
  Decision quiet = decision(1);
  quiet.entry.kind = EntryKind::kRefusal;
  quiet.entry.codes = {"broker.evidence"};
  quiet.logged = false;
  const Outcome outcome = commit({quiet}).front();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kAccepted);
  EXPECT_EQ(outcome.index, 0U);
  EXPECT_EQ(store().log_head()->size, size);
  EXPECT_EQ(code_of(decision(1)), "broker.nonce-used");
}

// Two restores of one backup have the same generation.
TEST_F(Commits, AreForOneStoreAlone) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto one = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  const auto two = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  EXPECT_EQ(one->version()->generation, two->version()->generation);
  const Decision decided = decision(1);
  EXPECT_TRUE(two->commit(one->version().value(), {&decided, 1})->stale);
}

TEST_F(Commits, WaitUntilAStoreIsReconciled) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  setting_->store = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  const Decision decided = decision(1);
  EXPECT_THAT(store().commit(store().version().value(), {&decided, 1}), Fails(ErrorCode::kRefused));
  Reconcile change;
  change.floors_unchanged = true;
  ASSERT_THAT(apply(change), Succeeds());
  EXPECT_EQ(code_of(decided), "");
}

TEST_F(Commits, ForgetNoncesAndNeverTakeThemAgain) {
  EXPECT_EQ(code_of(decision(1, kNow + 10)), "");
  EXPECT_EQ(code_of(decision(2, kNow + 90)), "");
  ASSERT_THAT(store().forget(kNow + 10), Succeeds());
  // A clock that was turned back does not bring the challenge back.
  EXPECT_EQ(code_of(decision(1, kNow + 10)), "broker.nonce-expired");
  EXPECT_EQ(code_of(decision(3, kNow + 9)), "broker.nonce-expired");
  EXPECT_EQ(code_of(decision(2, kNow + 90)), "broker.nonce-used");
  ASSERT_THAT(store().forget(kNow), Succeeds());
  EXPECT_EQ(code_of(decision(1, kNow + 10)), "broker.nonce-expired");
}

TEST_F(Commits, ForgetAPieceAtATime) {
  std::vector<Decision> many;
  for (int i = 0; i < 1500; ++i) {
    many.push_back(decision(0));
    many.back().nonce = to_vector(crypto::random_array<32>());
  }
  commit(many);
  EXPECT_EQ(store().forget(kNow + 60).value(), true);
  EXPECT_EQ(store().forget(kNow + 60).value(), false);
  EXPECT_EQ(store().forget(kNow + 60).value(), false);
}

// What a replica with a wrong clock decided, however it came to serve.
TEST_F(Commits, DecideNothingAtATimeThatCannotBe) {
  const auto at = [](std::uint8_t nonce, std::uint64_t time) {
    Decision out = decision(nonce, time + 60);
    out.entry.time = time;
    return out;
  };
  EXPECT_EQ(code_of(at(1, kNow + 1000)), "");
  EXPECT_EQ(code_of(at(2, kNow + 1000 - kClockBehind)), "");
  EXPECT_EQ(code_of(at(3, kNow + 1000 - kClockBehind - 1)), "broker.clock");
  EXPECT_EQ(code_of(at(3, kNow + 1000 + kClockAhead + 1)), "broker.clock");
  EXPECT_EQ(code_of(at(3, kNow + 1000 + kClockAhead)), "");  // nor was it spent
  EXPECT_EQ(store().state().value()->last_time, kNow + 1000 + kClockAhead);
}

// Years ahead: nonces and leases that had not ended are forgotten.
TEST_F(Commits, GoOnOnceTheClockIsConfirmed) {
  EXPECT_EQ(code_of(decision(1)), "");
  ASSERT_THAT(store().forget(kNow + 1000000), Succeeds());
  EXPECT_EQ(code_of(decision(2)), "broker.nonce-expired");
  const auto before = store().state().value();
  ASSERT_THAT(apply(ConfirmClock{}), Succeeds());
  const auto state = store().state().value();
  EXPECT_EQ(state->clock_confirmed, state->generation);
  EXPECT_EQ(state->last_time, kNow);
  EXPECT_EQ(state->restored_at, kNow);  // leases may be missing
  // No challenge of before is taken, so none that was answered is.
  EXPECT_FALSE(
      crypto::equal_constant_time(state->challenge_key->reveal(), before->challenge_key->reveal()));
  EXPECT_EQ(code_of(decision(2)), "");
}

TEST_F(Commits, MissNoLeaseWhereNoneWasForgotten) {
  ASSERT_THAT(apply(ConfirmClock{}), Succeeds());
  EXPECT_EQ(store().state().value()->restored_at, 0U);
}

// An operator revokes whatever the clock says; that time is compared with nothing.
TEST_F(Commits, AreNotMovedByAChangeAtAWrongTime) {
  for (const std::uint64_t time : {kNow + kClockAhead + 1, kNow - kClockBehind - 1}) {
    *setting_->clock = time;
    ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9}, "", 0}}), Succeeds());
    EXPECT_EQ(store().state().value()->last_time, kNow);
  }
  *setting_->clock = kNow + 5;
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9}, "", 0}}), Succeeds());
  EXPECT_EQ(store().state().value()->last_time, kNow + 5);
}

TEST_F(Commits, CountInstances) {
  const auto outcomes = commit({with_lease(1, 1, 2), with_lease(2, 2, 2), with_lease(3, 3, 2)});
  EXPECT_EQ(outcomes[0].kind, Outcome::Kind::kAccepted);
  EXPECT_EQ(outcomes[1].kind, Outcome::Kind::kAccepted);
  EXPECT_EQ(outcomes[2].kind, Outcome::Kind::kRefused);
  EXPECT_EQ(outcomes[2].reason.code, "broker.licence-instances");
  const LogEntry entry = entries_of(store()).back();
  EXPECT_EQ(entry.kind, EntryKind::kRefusal);
  EXPECT_EQ(entry.codes, std::vector<std::string>{"broker.licence-instances"});
  EXPECT_EQ(entry.instance, std::nullopt);
  EXPECT_EQ(store().leases(kNow)->size(), 2U);
  // Those of another product count for themselves.
  Decision other = with_lease(4, 4, 2);
  other.lease->lease.product = "other";
  EXPECT_EQ(code_of(other), "");
}

TEST_F(Commits, CountInstancesUntilTheirLeasesLapse) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision later = with_lease(2, 2, 1);
  later.lease->lease.since = kNow + 99;
  EXPECT_EQ(code_of(later), "broker.licence-instances");
  later = with_lease(3, 3, 1);
  later.lease->lease.since = kNow + 100;
  later.lease->lease.until = kNow + 200;
  EXPECT_EQ(code_of(later), "");
}

TEST_F(Commits, ProlongALease) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision renewal = with_lease(2, 1, 1);
  renewal.lease->lease.since = kNow + 50;
  renewal.lease->lease.until = kNow + 150;
  EXPECT_EQ(code_of(renewal), "");
  const auto leases = store().leases(kNow + 120).value();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].until, kNow + 150);
  EXPECT_EQ(leases[0].renewals, 1U);
  EXPECT_EQ(leases[0].since, kNow);
}

TEST_F(Commits, ProlongNoLeaseOfSomethingElse) {
  EXPECT_EQ(code_of(with_lease(1, 1, 5)), "");
  const std::vector<std::function<void(Lease&)>> others = {
      [](Lease& lease) { lease.product = "other"; },
      [](Lease& lease) { lease.authority = Digest{{9}}; },
      [](Lease& lease) { lease.device = {8}; },
  };
  std::uint8_t nonce = 10;
  for (const auto& change : others) {
    Decision renewal = with_lease(nonce++, 1, 5);
    change(renewal.lease->lease);
    EXPECT_EQ(code_of(renewal), "broker.lease-unknown") << int{nonce};
  }
}

TEST_F(Commits, CountALapsedLeaseAsANewInstance) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision other = with_lease(2, 2, 1);
  other.lease->lease.since = kNow + 100;
  other.lease->lease.until = kNow + 200;
  EXPECT_EQ(code_of(other), "");
  Decision renewal = with_lease(3, 1, 1);
  renewal.lease->lease.since = kNow + 150;
  renewal.lease->lease.until = kNow + 250;
  EXPECT_EQ(code_of(renewal), "broker.licence-instances");
}

TEST_F(Commits, EndALeaseThatIsKnownToBeOver) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  *setting_->clock = kNow + 10;
  ASSERT_THAT(apply(EndLease{loader::Instance{1}}), Succeeds());
  EXPECT_TRUE(store().leases(kNow + 10)->empty());
  Decision next = with_lease(2, 2, 1);
  next.lease->lease.since = kNow + 10;
  EXPECT_EQ(code_of(next), "");
}

TEST_F(Commits, KeepClaimsOnce) {
  Decision one = decision(1);
  one.claims = {1, 2, 3};
  one.entry.claims = Digest{{5}};
  Decision two = one;
  two.nonce = ByteVector(32, 2);
  EXPECT_EQ(code_of(one), "");
  EXPECT_EQ(code_of(two), "");
  EXPECT_EQ(store().claims(Digest{{5}}).value(), one.claims);
}

TEST_F(Commits, AreSharedByReplicas) {
  const auto other = Store::open(setting_->uri).value();
  EXPECT_EQ(code_of(decision(1)), "");
  const Decision again = decision(1);
  const auto committed = other->commit(other->version().value(), {&again, 1}).value();
  EXPECT_EQ(committed.outcomes.at(0).reason.code, "broker.nonce-used");
  ASSERT_THAT(other->apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}, kNow), Succeeds());
  EXPECT_EQ(store().state().value()->revocations.size(), 1U);
  EXPECT_TRUE(crypto::equal_constant_time(store().state().value()->challenge_key->reveal(),
                                          other->state().value()->challenge_key->reveal()));
  EXPECT_EQ(store().log_head()->root, other->log_head()->root);
}

TEST_F(Commits, AreMadeOnce) {
  EXPECT_THAT(Store::create(setting_->uri, kNow), Fails(ErrorCode::kRefused));
  EXPECT_THAT(Store::open(setting_->uri), Succeeds());
}

#ifdef BROKER_TEST_POSTGRES
TEST_F(Commits, GoOnAfterTheDatabaseCrashed) {
  EXPECT_EQ(code_of(decision(1)), "");
  const StateVersion version = store().version().value();
  PostgresServer::get()->crash_and_restart();
  const Decision next = decision(2);
  // The connection is gone: whoever asks now is told to try again, and then it is there.
  bool failed = false;
  for (int i = 0; i < 3 && !failed; ++i) {
    const auto committed = store().commit(version, {&next, 1});
    failed = !committed.ok() && committed.error().code() == ErrorCode::kTryAgain;
  }
  EXPECT_TRUE(failed);
  for (int i = 0; i < 3 && !store().version().ok(); ++i) {
  }
  EXPECT_EQ(code_of(decision(1)), "broker.nonce-used");
  EXPECT_EQ(code_of(decision(2)), "");
}
#endif

}  // namespace
}  // namespace sealpack::broker
