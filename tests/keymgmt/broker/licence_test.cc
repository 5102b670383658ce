// SPDX-License-Identifier: Apache-2.0
// Licences, leases, and a broker that was restored.
#include "keymgmt/broker/log.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using namespace testing;

class Licences : public ::testing::Test {
 protected:
  Status license(
      std::uint64_t instances, std::uint64_t lease_seconds,
      const std::function<void(Licence&)>& edit = [](auto&) {}) {
    Licence licence{setting_.release.authority, "test product", instances, 0, 0, lease_seconds, {}};
    edit(licence);
    return setting_.apply(PutLicence{licence});
  }
  Service& service() { return *setting_.service; }
  // The lease of a new exchange.
  loader::GrantFacts lease_of(Client& client) {
    const Answer answer = exchange(service(), client);
    EXPECT_EQ(codes_of(answer), "");
    return client.open(answer.body)->facts;
  }
  std::string refused_for(Client& client) { return codes_of(exchange(service(), client)); }
  std::string refused_for() {
    Client client(setting_);
    return refused_for(client);
  }
  Setting setting_;
};

TEST_F(Licences, GiveLeasesWithAnEnd) {
  ASSERT_THAT(license(0, 3600), Succeeds());
  setting_.start();
  Client client(setting_);
  const auto facts = lease_of(client);
  EXPECT_EQ(facts.lease_until, kNow + 3600);
  ASSERT_TRUE(facts.instance);
  const auto leases = setting_.store->leases(kNow).value();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].instance, *facts.instance);
  const LogEntry entry = entries_of(*setting_.store).back();
  EXPECT_EQ(entry.instance, facts.instance);
  EXPECT_EQ(entry.lease_until, kNow + 3600);
}

TEST_F(Licences, EndLeasesWithTheLicence) {
  ASSERT_THAT(license(0, 3600, [](Licence& licence) { licence.not_after = kNow + 100; }),
              Succeeds());
  setting_.start();
  Client client(setting_);
  EXPECT_EQ(lease_of(client).lease_until, kNow + 100);
  *setting_.clock = kNow + 101;
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.licence-time");
}

TEST_F(Licences, BeginAtTheirTime) {
  ASSERT_THAT(license(0, 0, [](Licence& licence) { licence.not_before = kNow + 10; }), Succeeds());
  setting_.start();
  Client client(setting_);
  EXPECT_EQ(challenge_codes_of(service(), client.subject), "broker.licence-time");
  *setting_.clock = kNow + 10;
  EXPECT_EQ(refused_for(), "");
}

TEST_F(Licences, CountInstances) {
  ASSERT_THAT(license(2, 3600), Succeeds());
  setting_.start();
  EXPECT_EQ(refused_for(), "");
  EXPECT_EQ(refused_for(), "");
  Client client(setting_);
  const Refusal refusal = refusal_in(exchange(service(), client));
  EXPECT_EQ(refusal.reasons.at(0).code, "broker.licence-instances");
  EXPECT_EQ(refusal.log_index, setting_.store->log_head()->size - 1);
  *setting_.clock = kNow + 3600;  // both lapsed
  EXPECT_EQ(refused_for(), "");
}

TEST_F(Licences, CountInstancesThatComeAtOnce) {
  ASSERT_THAT(license(5, 3600), Succeeds());
  setting_.start();
  std::vector<std::promise<Answer>> promises(40);
  for (auto& promise : promises) {
    Client client(setting_);
    service().release(client.release_request(challenge_of(service(), client.subject)),
                      Transport::kNetwork,
                      [&](Answer answer) { promise.set_value(std::move(answer)); });
  }
  int grants = 0;
  for (auto& promise : promises) {
    grants += promise.get_future().get().kind == Answer::Kind::kGrant ? 1 : 0;
  }
  EXPECT_EQ(grants, 5);
}

TEST_F(Licences, ProlongALeaseWithFreshEvidence) {
  ASSERT_THAT(license(1, 3600), Succeeds());
  setting_.start();
  Client client(setting_);
  const auto facts = lease_of(client);
  *setting_.clock = kNow + 1800;
  client.terms.renews = facts.instance;
  const auto renewed = lease_of(client);
  EXPECT_EQ(renewed.instance, facts.instance);
  EXPECT_EQ(renewed.lease_until, kNow + 1800 + 3600);
  // Not without: what the TEE proved then is no proof now.
  client.measurement = Digest{{9}};
  EXPECT_EQ(refused_for(client), "policy.not-accepted");
}

TEST_F(Licences, ProlongNoMoreLeasesThanTheyHaveInstances) {
  ASSERT_THAT(license(2, 3600), Succeeds());
  setting_.start();
  Client first(setting_);
  Client second(setting_);
  first.terms.renews = lease_of(first).instance;
  *setting_.clock = kNow + 1800;
  second.terms.renews = lease_of(second).instance;
  ASSERT_THAT(license(1, 3600), Succeeds());
  EXPECT_EQ(refused_for(first), "broker.licence-instances");
  *setting_.clock = kNow + 3600;  // the first is over: one runs
  EXPECT_EQ(refused_for(second), "");
}

// Of one that was forgotten, or lost in a restore, nothing is left to tell it from a new one.
TEST_F(Licences, CountALeaseThatTheyDoNotKnowAsANewOne) {
  ASSERT_THAT(license(1, 3600), Succeeds());
  setting_.start();
  Client client(setting_);
  client.terms.renews = loader::Instance{1, 2, 3};
  EXPECT_EQ(lease_of(client).instance, client.terms.renews);
  EXPECT_EQ(refused_for(), "broker.licence-instances");
}

// What ran under a licence that is gone is not worse off than what comes anew.
TEST_F(Licences, ThatAreRemovedWhileLeasesRunLeaveTheKeyWithoutAnEnd) {
  ASSERT_THAT(license(1, 3600), Succeeds());
  setting_.start();
  Client client(setting_);
  client.terms.renews = lease_of(client).instance;
  ASSERT_THAT(setting_.apply(RemoveLicence{setting_.release.authority, "test product"}),
              Succeeds());
  const auto facts = lease_of(client);
  EXPECT_EQ(facts.lease_until, 0U);
  EXPECT_EQ(facts.instance, std::nullopt);
  // Evidence is looked at as ever.
  client.measurement = Digest{{9}};
  EXPECT_EQ(refused_for(client), "policy.not-accepted");
}

TEST_F(Licences, NameDevicesThatTheEvidenceMustName) {
  ASSERT_THAT(license(0, 0, [](Licence& licence) { licence.devices = {{1}, {2}}; }), Succeeds());
  setting_.start();
  // A simulated TEE is no device.
  EXPECT_EQ(refused_for(), "broker.licence-device");
}

TEST_F(Licences, AreAppliedFromTheNextRequestOn) {
  setting_.start();
  Client client(setting_);
  const auto reply = challenge_of(service(), client.subject);
  ASSERT_THAT(license(0, 0, [](Licence& licence) { licence.not_after = kNow - 1; }), Succeeds());
  EXPECT_EQ(codes_of(release_of(service(), client.release_request(reply))), "broker.licence-time");
}

class RestoredBrokers : public Licences {
 protected:
  // The store as it was `now`, in a new epoch `later` seconds on.
  void restore(std::uint64_t later) {
    ASSERT_THAT(setting_.store->backup(setting_.folder / "backup"), Succeeds());
    *setting_.clock = kNow + later;
    setting_.service.reset();
    setting_.uri = (setting_.folder / "restored").string();
    setting_.store =
        Store::restore(setting_.folder / "backup", setting_.uri, *setting_.clock).value();
    setting_.start();
  }
  Status reconcile(bool no_lease_is_missing) {
    Reconcile change;
    change.no_lease_is_missing = no_lease_is_missing;
    change.floors_unchanged = true;
    return setting_.apply(change);
  }
};

TEST_F(RestoredBrokers, ReleaseNothingUntilTheyAreReconciled) {
  restore(0);
  Client client(setting_);
  const Answer answer = service().challenge(serialize(client.subject), Transport::kNetwork);
  EXPECT_EQ(codes_of(answer), "broker.unreconciled");
  EXPECT_EQ(refusal_in(answer).code, ErrorCode::kTryAgain);
  Reconcile reconcile;
  reconcile.revocations = {
      {RevokedKind::kMeasurement, to_vector(setting_.measurement.bytes), "since the backup", 0}};
  reconcile.floors_unchanged = true;
  ASSERT_THAT(setting_.apply(reconcile), Succeeds());
  EXPECT_EQ(refused_for(client), "broker.revoked-measurement");
  ASSERT_THAT(setting_.apply(
                  EndRevocation{RevokedKind::kMeasurement, to_vector(setting_.measurement.bytes)}),
              Succeeds());
  EXPECT_EQ(refused_for(client), "");
}

// A release was added since, and the backup would give out the one before.
TEST_F(RestoredBrokers, DemandAWordOnWhatWasReleasedSince) {
  restore(0);
  Reconcile change;
  EXPECT_THAT(setting_.apply(change),
              FailsWith(ErrorCode::kRefused, HasSubstr("test product' (counter 7")));
  change.floors = {{setting_.release.authority, "another product", {9, std::nullopt}}};
  EXPECT_THAT(setting_.apply(change), Fails(ErrorCode::kRefused));
  change.floors.push_back({setting_.release.authority, "test product", {8, std::nullopt}});
  ASSERT_THAT(setting_.apply(change), Succeeds());
  EXPECT_EQ(challenge_codes_of(service(), Client(setting_).subject), "broker.below-floor");
}

TEST_F(RestoredBrokers, TakeKeysAndEndsOfKeysThatTheBackupDoesNotKnow) {
  restore(0);
  const auto leaked = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  const auto kept = sealpack::testing::make_key(crypto::KeyType::kEd25519);
  Reconcile change;
  change.floors_unchanged = true;
  change.keys = {{KeyUse::kGrants, to_vector(leaked.spki()), kNow, 0},
                 {KeyUse::kGrants, to_vector(kept.spki()), kNow, 0}};
  change.ended_keys = {{sealpack::testing::digest_of(leaked), kNow - 1},
                       {sealpack::testing::digest_of(setting_.grants), kNow}};
  ASSERT_THAT(setting_.apply(change), Succeeds());
  const auto state = setting_.store->state().value();
  for (const BrokerKey& key : state->keys) {
    if (key.use != KeyUse::kGrants) continue;
    EXPECT_EQ(key.not_after == 0, key.spki == to_vector(kept.spki()));
  }
}

TEST_F(RestoredBrokers, RefuseAnAnswerToAChallengeFromBefore) {
  setting_.start();
  Client client(setting_);
  const auto before = challenge_of(service(), client.subject);
  restore(0);
  ASSERT_THAT(reconcile(true), Succeeds());
  const ByteVector request = client.release_request(before);
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-forged");
}

TEST_F(RestoredBrokers, CountNoNewInstanceWhileLostLeasesMayRun) {
  ASSERT_THAT(license(2, 1000), Succeeds());
  setting_.start();
  Client client(setting_);
  const auto kept = lease_of(client).instance;
  restore(100);
  ASSERT_THAT(reconcile(false), Succeeds());
  const Refusal waits = [&] {
    Client other(setting_);
    return refusal_in(exchange(service(), other));
  }();
  EXPECT_EQ(waits.reasons.at(0).code, "broker.licence-restored");
  EXPECT_THAT(waits.reasons.at(0).text, HasSubstr("before 2023-11-14 22:31:40 UTC"));
  // One that the backup knows goes on.
  client.terms.renews = kept;
  EXPECT_EQ(refused_for(client), "");
  *setting_.clock = kNow + 100 + 1000;
  EXPECT_EQ(refused_for(), "");
}

TEST_F(RestoredBrokers, CountOnWhereNoLeaseIsMissing) {
  ASSERT_THAT(license(2, 1000), Succeeds());
  setting_.start();
  EXPECT_EQ(refused_for(), "");
  restore(100);
  ASSERT_THAT(reconcile(true), Succeeds());
  EXPECT_EQ(refused_for(), "");
  // The lease of the backup counts until its end.
  EXPECT_EQ(refused_for(), "broker.licence-instances");
}

}  // namespace
}  // namespace sealpack::broker
