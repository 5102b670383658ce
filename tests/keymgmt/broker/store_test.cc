// SPDX-License-Identifier: Apache-2.0
// What a store keeps and refuses, in SQLite and in PostgreSQL.
#include "keymgmt/broker/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "keymgmt/broker/log.h"
#include "keymgmt/broker/merkle.h"
#include "keymgmt/crypto/random.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/keymgmt/broker/postgres_server.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::content_of;
using sealpack::testing::digest_of;
using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using sealpack::testing::TemporaryFolder;
using testing::entries_of;
using ::testing::HasSubstr;
using testing::kNow;
using testing::PostgresServer;
using testing::Setting;

constexpr const char* kProduct = "test product";

class Stores : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const bool postgres = std::string_view(GetParam()) == "postgres";
    if (postgres && PostgresServer::get() == nullptr) {
      GTEST_SKIP() << "PostgreSQL is not installed: nothing of replicas is tested";
    }
    setting_.emplace(new_uri());
  }
  std::string new_uri() {
    if (std::string_view(GetParam()) == "postgres") return PostgresServer::get()->new_database();
    return "sqlite:" + (folder_ / ("store" + std::to_string(++stores_))).string();
  }
  Store& store() { return *setting_->store; }
  Status apply(const Change& change) { return setting_->apply(change); }
  Digest authority() const { return setting_->release.authority; }

  static Decision decision(std::uint8_t nonce, std::uint64_t expires = kNow + 60) {
    Decision out;
    out.nonce = ByteVector(32, nonce);
    out.expires = expires;
    LogEntry& entry = out.entry;
    entry.kind = EntryKind::kGrant;
    entry.time = kNow;
    entry.transport = 1;
    entry.nonce = Digest{{nonce}};
    entry.tee = "simulated";
    entry.role = "model";
    return out;
  }
  Decision with_lease(std::uint8_t nonce, std::uint8_t instance, std::uint64_t most) {
    Decision out = decision(nonce);
    LeaseClaim claim;
    claim.lease = {
        loader::Instance{instance}, authority(), kProduct, Digest{{1}}, {7}, kNow, kNow + 100, 0};
    claim.max_instances = most;
    out.lease = claim;
    out.entry.lease_until = kNow + 100;
    out.entry.instance = claim.lease.instance;
    return out;
  }
  std::vector<Outcome> commit(const std::vector<Decision>& decisions) {
    const auto committed = store().commit(store().generation().value(), decisions);
    EXPECT_THAT(committed, Succeeds());
    EXPECT_FALSE(committed->stale);
    return committed->outcomes;
  }
  // "" where it was accepted.
  std::string code_of(const Decision& one) { return commit({one}).front().reason.code; }

  TemporaryFolder folder_;
  int stores_ = 0;
  std::optional<Setting> setting_;
};

TEST_P(Stores, KeepWhatAnOperatorSays) {
  const Licence licence{authority(), kProduct, 3, 1, kNow + 1000, 60, {{1}, {2}}};
  const TpmDevice device{Digest{{4}}, {1, 2}, {3, 4}, "rack 7"};
  ASSERT_THAT(apply(PutLicence{licence}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, "text"}}), Succeeds());
  ASSERT_THAT(apply(EnrolTpm{device}), Succeeds());
  ASSERT_THAT(apply(RaiseFloor{{authority(), kProduct, {5, Digest{{6}}}}}), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9, 9}, "stolen", 0}}), Succeeds());
  const auto state = store().state().value();
  ASSERT_EQ(state->vendors.size(), 1U);
  EXPECT_EQ(state->vendors[0].name, "vendor");
  EXPECT_EQ(state->vendors[0].trust.authorities, setting_->vendor.trust.authorities);
  ASSERT_EQ(state->vendors[0].trust.signers.size(), 1U);
  ASSERT_EQ(state->releases.size(), 1U);
  EXPECT_EQ(state->releases[0].head, setting_->release.head);
  EXPECT_EQ(state->releases[0].signers, setting_->release.signers);
  EXPECT_EQ(state->releases[0].uuid, setting_->release.uuid);
  ASSERT_EQ(state->licences.size(), 1U);
  EXPECT_EQ(state->licences[0].devices, licence.devices);
  EXPECT_EQ(state->licences[0].not_after, kNow + 1000);
  ASSERT_EQ(state->policies.size(), 1U);
  EXPECT_EQ(state->policies[0].text, "text");
  ASSERT_EQ(state->tpm_devices.size(), 1U);
  EXPECT_EQ(state->tpm_devices[0].ek_name, device.ek_name);
  EXPECT_EQ(state->tpm_devices[0].ak_name, device.ak_name);
  ASSERT_EQ(state->floors.size(), 1U);
  EXPECT_EQ(state->floors[0].floor, (loader::Floor{5, Digest{{6}}}));
  ASSERT_EQ(state->revocations.size(), 1U);
  EXPECT_EQ(state->revocations[0].because, "stolen");
  EXPECT_EQ(state->revocations[0].since, kNow);
  EXPECT_EQ(state->keys.size(), 3U);
  EXPECT_EQ(state->epoch, 1U);
  EXPECT_TRUE(state->reconciled);
}

TEST_P(Stores, TakeBackWhatWasSaid) {
  ASSERT_THAT(apply(PutLicence{{authority(), kProduct, 0, 0, 0, 0, {}}}), Succeeds());
  ASSERT_THAT(apply(RemoveLicence{authority(), kProduct}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, "text"}}), Succeeds());
  ASSERT_THAT(apply(PutPolicy{{authority(), kProduct, ""}}), Succeeds());
  ASSERT_THAT(apply(EnrolTpm{{Digest{{4}}, {1}, {2}, ""}}), Succeeds());
  ASSERT_THAT(apply(RemoveTpm{Digest{{4}}}), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {9}, "", 0}}), Succeeds());
  ASSERT_THAT(apply(EndRevocation{RevokedKind::kDevice, {9}}), Succeeds());
  ASSERT_THAT(apply(RemoveVendor{"vendor"}), Succeeds());
  const auto state = store().state().value();
  EXPECT_TRUE(state->licences.empty() && state->policies.empty() && state->tpm_devices.empty() &&
              state->revocations.empty() && state->vendors.empty());
}

TEST_P(Stores, DoNotTakeBackWhatWasNotSaid) {
  const std::vector<Change> changes = {
      RemoveLicence{authority(), kProduct},
      PutPolicy{{authority(), kProduct, ""}},
      RemoveTpm{Digest{{4}}},
      EndRevocation{RevokedKind::kDevice, {9}},
      RemoveVendor{"nobody"},
      EndKey{Digest{{1}}, kNow},
      EndLease{loader::Instance{1}},
      Reconcile{},
  };
  const std::uint64_t before = store().generation().value();
  for (const Change& change : changes) {
    EXPECT_THAT(apply(change), Fails(ErrorCode::kRefused)) << change.index();
  }
  EXPECT_EQ(store().generation().value(), before);
}

TEST_P(Stores, RefuseWhatMakesNoSense) {
  const Digest a = authority();
  const std::vector<Change> changes = {
      PutLicence{{a, kProduct, 3, 0, 0, 0, {}}},          // counted instances without leases
      PutLicence{{a, kProduct, 0, 20, 10, 0, {}}},        // ends before it begins
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{2}, {1}}}},  // not ascending
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{1}, {1}}}},  // twice
      PutLicence{{a, kProduct, 0, 0, 0, 0, {{}}}},        // a device without a name
      Revoke{{RevokedKind::kContent, {1, 2, 3}, "", 0}},  // not a digest
      Revoke{{RevokedKind::kDevice, {}, "", 0}},          // nothing
      Revoke{{RevokedKind::kDevice, {1}, "\xff", 0}},     // no text
      EnrolTpm{{Digest{{1}}, {}, {1}, ""}},               // no name of the attestation key
      EnrolTpm{{Digest{{1}}, {1}, {}, ""}},               // no endorsement key
      EndKey{digest_of(setting_->grants), 0},             // at no time
  };
  for (const Change& change : changes) {
    EXPECT_THAT(apply(change), Fails(ErrorCode::kUsage)) << change.index();
  }
  EXPECT_THAT(apply(RaiseFloor{{a, std::string(513, 'x'), {1, {}}}}), Fails(ErrorCode::kLimit));
  EXPECT_THAT(apply(RaiseFloor{{a, kProduct, {~std::uint64_t{0}, {}}}}), Fails(ErrorCode::kLimit));
}

TEST_P(Stores, ListAKeyOnce) {
  EXPECT_THAT(apply(AddKey{{KeyUse::kLog, to_vector(setting_->grants.spki()), 0, 0}}),
              Fails(ErrorCode::kRefused));
}

TEST_P(Stores, NeverLowerAFloor) {
  const auto raise = [&](loader::Floor floor) {
    return apply(RaiseFloor{{authority(), kProduct, floor}});
  };
  EXPECT_THAT(raise({0, std::nullopt}), Fails(ErrorCode::kRefused));
  ASSERT_THAT(raise({9, Digest{{1}}}), Succeeds());
  EXPECT_THAT(raise({8, std::nullopt}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, Digest{{2}}}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, std::nullopt}), Fails(ErrorCode::kRefused));
  EXPECT_THAT(raise({9, Digest{{1}}}), Succeeds());
  EXPECT_THAT(raise({10, std::nullopt}), Succeeds());
}

TEST_P(Stores, RegisterNoOlderRelease) {
  EXPECT_THAT(setting_->add(setting_->make_release(6)),
              FailsWith(ErrorCode::kRefused, HasSubstr("older release")));
}

TEST_P(Stores, RegisterNoOtherReleaseOfTheSameCounter) {
  EXPECT_THAT(setting_->add(setting_->make_release(7)),
              FailsWith(ErrorCode::kRefused, HasSubstr("another release with counter 7")));
}

TEST_P(Stores, RegisterTheSameReleaseAgainWithItsNewSlots) {
  RegisteredRelease again = setting_->release;
  again.head.slots.push_back(again.head.slots.front());
  again.head.slots.back().salt[0] ^= 1;
  EXPECT_THAT(setting_->add(again), Succeeds());
  EXPECT_EQ(store().state().value()->releases.at(0).head.slots.size(), 2U);
}

TEST_P(Stores, RegisterNothingBelowTheFloorOrRevoked) {
  const auto newer = setting_->make_release(8);
  ASSERT_THAT(apply(RaiseFloor{{authority(), kProduct, {9, std::nullopt}}}), Succeeds());
  EXPECT_THAT(setting_->add(newer), Fails(ErrorCode::kRefused));
  const auto newest = setting_->make_release(10);
  const std::vector<std::pair<RevokedKind, Digest>> cases = {
      {RevokedKind::kContent, newest.content},
      {RevokedKind::kRelease, newest.release},
      {RevokedKind::kSigner, newest.signers.at(0)}};
  for (const auto& [kind, value] : cases) {
    ASSERT_THAT(apply(Revoke{{kind, to_vector(value.bytes), "", 0}}), Succeeds());
    EXPECT_THAT(setting_->add(newest), FailsWith(ErrorCode::kRefused, HasSubstr("revoked")));
    ASSERT_THAT(apply(EndRevocation{kind, to_vector(value.bytes)}), Succeeds());
  }
  EXPECT_THAT(setting_->add(newest), Succeeds());
}

TEST_P(Stores, RegisterNothingOfAnUnknownVendor) {
  auto release = setting_->make_release(8);
  release.vendor = "nobody";
  EXPECT_THAT(setting_->add(release), Fails(ErrorCode::kRefused));
}

TEST_P(Stores, LogEveryChangeInWords) {
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {0xab, 0xcd}, "stolen", 0}}), Succeeds());
  const auto entries = entries_of(store());
  EXPECT_EQ(entries.front().kind, EntryKind::kOpened);
  EXPECT_EQ(entries.back().kind, EntryKind::kChange);
  EXPECT_EQ(entries.back().what, "revoke device abcd: 'stolen'");
  EXPECT_EQ(entries.back().epoch, 1U);
}

TEST_P(Stores, SpendANonceOnce) {
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

TEST_P(Stores, DecideNothingUnderAStateThatIsOver) {
  const std::uint64_t generation = store().generation().value();
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}), Succeeds());
  const std::uint64_t size = store().log_head()->size;
  const Decision one = decision(1);
  EXPECT_TRUE(store().commit(generation, {&one, 1})->stale);
  EXPECT_EQ(store().log_head()->size, size);
  EXPECT_EQ(code_of(one), "");
}

TEST_P(Stores, ForgetNoncesAndNeverTakeThemAgain) {
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

TEST_P(Stores, CountInstances) {
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

TEST_P(Stores, CountInstancesUntilTheirLeasesLapse) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision later = with_lease(2, 2, 1);
  later.lease->lease.since = kNow + 99;
  EXPECT_EQ(code_of(later), "broker.licence-instances");
  later = with_lease(3, 3, 1);
  later.lease->lease.since = kNow + 100;
  later.lease->lease.until = kNow + 200;
  EXPECT_EQ(code_of(later), "");
}

TEST_P(Stores, ProlongALease) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision renewal = with_lease(2, 1, 1);
  renewal.lease->renewal = true;
  renewal.lease->lease.since = kNow + 50;
  renewal.lease->lease.until = kNow + 150;
  EXPECT_EQ(code_of(renewal), "");
  const auto leases = store().leases(kNow + 120).value();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].until, kNow + 150);
  EXPECT_EQ(leases[0].renewals, 1U);
  EXPECT_EQ(leases[0].since, kNow);
}

TEST_P(Stores, ProlongNoLeaseOfSomethingElse) {
  EXPECT_EQ(code_of(with_lease(1, 1, 5)), "");
  const std::vector<std::function<void(Lease&)>> others = {
      [](Lease& lease) { lease.instance = loader::Instance{9}; },
      [](Lease& lease) { lease.product = "other"; },
      [](Lease& lease) { lease.authority = Digest{{9}}; },
      [](Lease& lease) { lease.device = {8}; },
  };
  std::uint8_t nonce = 10;
  for (const auto& change : others) {
    Decision renewal = with_lease(nonce++, 1, 5);
    renewal.lease->renewal = true;
    change(renewal.lease->lease);
    EXPECT_EQ(code_of(renewal), "broker.lease-unknown") << int{nonce};
  }
}

TEST_P(Stores, CountALapsedLeaseAsANewInstance) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  Decision other = with_lease(2, 2, 1);
  other.lease->lease.since = kNow + 100;
  other.lease->lease.until = kNow + 200;
  EXPECT_EQ(code_of(other), "");
  Decision renewal = with_lease(3, 1, 1);
  renewal.lease->renewal = true;
  renewal.lease->lease.since = kNow + 150;
  renewal.lease->lease.until = kNow + 250;
  EXPECT_EQ(code_of(renewal), "broker.licence-instances");
}

TEST_P(Stores, EndALeaseThatIsKnownToBeOver) {
  EXPECT_EQ(code_of(with_lease(1, 1, 1)), "");
  *setting_->clock = kNow + 10;
  ASSERT_THAT(apply(EndLease{loader::Instance{1}}), Succeeds());
  EXPECT_TRUE(store().leases(kNow + 10)->empty());
  Decision next = with_lease(2, 2, 1);
  next.lease->lease.since = kNow + 10;
  EXPECT_EQ(code_of(next), "");
}

TEST_P(Stores, KeepClaimsOnce) {
  Decision one = decision(1);
  one.claims = {1, 2, 3};
  one.entry.claims = Digest{{5}};
  Decision two = one;
  two.nonce = ByteVector(32, 2);
  EXPECT_EQ(code_of(one), "");
  EXPECT_EQ(code_of(two), "");
  EXPECT_EQ(store().claims(Digest{{5}}).value(), one.claims);
}

TEST_P(Stores, AreSharedByReplicas) {
  const auto other = Store::open(setting_->uri).value();
  EXPECT_EQ(code_of(decision(1)), "");
  const Decision again = decision(1);
  const auto committed = other->commit(other->generation().value(), {&again, 1}).value();
  EXPECT_EQ(committed.outcomes.at(0).reason.code, "broker.nonce-used");
  ASSERT_THAT(other->apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}, kNow), Succeeds());
  EXPECT_EQ(store().state().value()->revocations.size(), 1U);
  EXPECT_TRUE(crypto::equal_constant_time(store().state().value()->challenge_key->reveal(),
                                          other->state().value()->challenge_key->reveal()));
  EXPECT_EQ(store().log_head()->root, other->log_head()->root);
}

TEST_P(Stores, AreMadeOnce) {
  EXPECT_THAT(Store::create(setting_->uri, kNow), Fails(ErrorCode::kRefused));
  EXPECT_THAT(Store::open(setting_->uri), Succeeds());
}

TEST_P(Stores, HaveALogThatVerifies) {
  for (std::uint8_t i = 0; i < 40; ++i) EXPECT_EQ(code_of(decision(i)), "");
  const auto signer = setting_->log_key.signer().value();
  const auto old = make_checkpoint(store(), *signer).value();
  std::vector<Decision> many;
  for (int i = 0; i < 700; ++i) {
    many.push_back(decision(0));
    many.back().nonce = to_vector(crypto::random_array<32>());
    many.back().entry.nonce = Digest{crypto::random_array<32>()};
  }
  commit(many);
  const auto verified = verify_log(store(), {&old.text, 1}, {});
  ASSERT_THAT(verified, Succeeds());
  EXPECT_EQ(verified->grants, 740U);
  const auto now = make_checkpoint(store(), *signer).value();
  EXPECT_EQ(store().latest_checkpoint().value(), now.text);
  const auto proof = consistency_proof(store(), old.head.size, now.head.size).value();
  EXPECT_THAT(
      merkle::verify_consistency(old.head.size, old.head.root, now.head.size, now.head.root, proof),
      Succeeds());
  const ByteVector entry = store().log_entries(300, 1)->at(0);
  EXPECT_THAT(
      merkle::verify_inclusion(merkle::leaf_hash(entry), 300, now.head.size,
                               inclusion_proof(store(), 300, now.head.size).value(), now.head.root),
      Succeeds());
  EXPECT_THAT(inclusion_proof(store(), 0, now.head.size + 1), Fails(ErrorCode::kUsage));
  EXPECT_THAT(consistency_proof(store(), 1, now.head.size + 1), Fails(ErrorCode::kUsage));
}

TEST_P(Stores, VerifyTheirLogAgainstCheckpointsOfThisLogAlone) {
  const auto signer = setting_->log_key.signer().value();
  const LogHead head = store().log_head().value();
  const auto state = store().state().value();
  const auto sign = [&](const std::string& origin, LogHead as) {
    return sign_checkpoint(origin, as, *signer)->text;
  };
  const auto fails = [&](const std::string& text, const char* why) {
    EXPECT_THAT(verify_log(store(), {&text, 1}, {}),
                FailsWith(ErrorCode::kNotAuthentic, HasSubstr(why)));
  };
  const std::string origin = log_origin(*state);
  const std::string good = sign(origin, head);
  EXPECT_THAT(verify_log(store(), {&good, 1}, {}), Succeeds());
  fails(sign(origin, {head.size, Digest{{1}}}), "is not the one of the checkpoint");
  fails(sign(origin, {head.size + 3, Digest{{1}}}), "3 are lost");
  fails(sign("sealpack-log/00/1", head), "another log");
  fails(sign(origin.substr(0, origin.size() - 1) + "2", head), "epoch 2");
  const auto other = make_key(crypto::KeyType::kEd25519);
  const std::string forged = sign_checkpoint(origin, head, *other.signer().value())->text;
  fails(forged, "not signed by a key of the log");
  const auto key = sealpack::testing::verifying_key(other);
  EXPECT_THAT(verify_log(store(), {&forged, 1}, {&key, 1}), Succeeds());
}

TEST_P(Stores, ComeBackFromABackupInANewEpoch) {
  *setting_->clock = kNow;
  ASSERT_THAT(apply(PutLicence{{authority(), kProduct, 2, 0, 0, 100, {}}}), Succeeds());
  EXPECT_EQ(code_of(with_lease(1, 1, 2)), "");
  const auto signer = setting_->log_key.signer().value();
  const auto old = make_checkpoint(store(), *signer).value();
  const auto backup = folder_ / "backup";
  ASSERT_THAT(store().backup(backup), Succeeds());
  struct stat status {};
  ASSERT_EQ(::stat(backup.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(code_of(decision(2)), "");  // lost with the store
  const auto lost = make_checkpoint(store(), *signer).value();

  const auto restored = Store::restore(backup, new_uri(), kNow + 50).value();
  const auto state = restored->state().value();
  EXPECT_EQ(state->epoch, 2U);
  EXPECT_FALSE(state->reconciled);
  EXPECT_EQ(state->restored_at, kNow + 50);
  EXPECT_EQ(state->releases.size(), 1U);
  EXPECT_EQ(state->vendors.size(), 1U);
  EXPECT_EQ(restored->leases(kNow)->size(), 1U);
  EXPECT_FALSE(crypto::equal_constant_time(state->challenge_key->reveal(),
                                           store().state().value()->challenge_key->reveal()));
  const LogEntry entry = entries_of(*restored).back();
  EXPECT_EQ(entry.kind, EntryKind::kOpened);
  EXPECT_EQ(entry.epoch, 2U);
  EXPECT_THAT(verify_log(*restored, {&old.text, 1}, {}), Succeeds());
  EXPECT_THAT(verify_log(*restored, {&lost.text, 1}, {}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("1 are lost")));
}

TEST_P(Stores, AreReconciledOnce) {
  EXPECT_EQ(code_of(with_lease(1, 1, 2)), "");
  EXPECT_EQ(code_of(with_lease(2, 2, 2)), "");
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto restored = Store::restore(folder_ / "backup", new_uri(), kNow + 1).value();
  Reconcile reconcile;
  reconcile.revocations = {{RevokedKind::kDevice, {5}, "lost", 0}};
  reconcile.floors = {{authority(), kProduct, {7, std::nullopt}}};
  reconcile.ended = {loader::Instance{2}, loader::Instance{77}};
  ASSERT_THAT(restored->apply(reconcile, kNow + 2), Succeeds());
  const auto state = restored->state().value();
  EXPECT_TRUE(state->reconciled);
  EXPECT_EQ(state->restored_at, kNow + 1);
  EXPECT_EQ(state->revocations.size(), 1U);
  EXPECT_EQ(state->floors.size(), 1U);
  EXPECT_EQ(restored->leases(kNow + 2)->size(), 1U);
  EXPECT_THAT(restored->apply(reconcile, kNow + 2), Fails(ErrorCode::kRefused));
}

// From here into a file, from there into this kind of database.
TEST_P(Stores, AreRestoredFromBackupsOfEitherDatabase) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto one = Store::restore(folder_ / "backup", (folder_ / "file").string(), kNow).value();
  EXPECT_EQ(one->state().value()->releases.at(0).head, setting_->release.head);
  ASSERT_THAT(one->backup(folder_ / "again"), Succeeds());
  const auto two = Store::restore(folder_ / "again", new_uri(), kNow).value();
  EXPECT_EQ(two->state().value()->releases.at(0).head, setting_->release.head);
  EXPECT_EQ(two->state().value()->epoch, 3U);
  const auto entries = one->log_entries(0, 100).value();
  auto prefix = two->log_entries(0, 100).value();
  ASSERT_EQ(prefix.size(), entries.size() + 1);
  prefix.pop_back();
  EXPECT_EQ(prefix, entries);
  EXPECT_THAT(verify_log(*two, {}, {}), Succeeds());
}

TEST_P(Stores, AreNotOverwrittenByARestore) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  EXPECT_THAT(Store::restore(folder_ / "backup", setting_->uri, kNow), Fails(ErrorCode::kRefused));
  EXPECT_THAT(Store::open(setting_->uri), Succeeds());
  EXPECT_THAT(store().backup(folder_ / "backup"), Fails(ErrorCode::kRefused));
}

#ifdef BROKER_TEST_POSTGRES
INSTANTIATE_TEST_SUITE_P(Databases, Stores, ::testing::Values("postgres"),
                         [](const auto& test) { return std::string(test.param); });
#else
INSTANTIATE_TEST_SUITE_P(Databases, Stores, ::testing::Values("sqlite"),
                         [](const auto& test) { return std::string(test.param); });

class StoreFiles : public ::testing::Test {
 protected:
  void run_sql(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    char* why = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
    sqlite3_free(why);
    sqlite3_close(database);
  }
  std::string path() const { return (setting_.folder / "broker.store").string(); }
  Setting setting_;
};

TEST_F(StoreFiles, AreForTheirOwnerAlone) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(::stat((path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
  }
  ASSERT_EQ(::chmod(path().c_str(), 0640), 0);
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kRefused, HasSubstr("other users")));
}

TEST_F(StoreFiles, AreNotReachedThroughLinks) {
  std::filesystem::create_symlink(path(), setting_.folder / "link");
  EXPECT_THAT(Store::open((setting_.folder / "link").string()), Fails(ErrorCode::kIo));
}

TEST_F(StoreFiles, OfOthersAreRefused) {
  EXPECT_THAT(Store::open((setting_.folder / "none").string()), Fails(ErrorCode::kIo));
  const auto text = setting_.folder.put("text", "this is no database, and rather long at that");
  ::chmod(text.c_str(), 0600);
  EXPECT_THAT(Store::open(text.string()), Fails(ErrorCode::kMalformed));
  const auto empty = setting_.folder.put("empty", "");
  ::chmod(empty.c_str(), 0600);
  EXPECT_THAT(Store::open(empty.string()), Fails(ErrorCode::kMalformed));
  run_sql("PRAGMA application_id = 1");
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kMalformed, HasSubstr("another program")));
}

TEST_F(StoreFiles, OfANewerVersionAreRefused) {
  run_sql("UPDATE sealpack_broker SET version = 2");
  EXPECT_THAT(Store::open(path()), FailsWith(ErrorCode::kUnsupported, HasSubstr("version 2")));
}

TEST_F(StoreFiles, ThatAreBackupsAreNotServed) {
  ASSERT_THAT(setting_.store->backup(setting_.folder / "backup"), Succeeds());
  EXPECT_THAT(Store::open((setting_.folder / "backup").string()),
              FailsWith(ErrorCode::kMalformed, HasSubstr("is a backup")));
  EXPECT_THAT(Store::restore(path(), (setting_.folder / "new").string(), kNow),
              FailsWith(ErrorCode::kMalformed, HasSubstr("is not a backup")));
}

// A backup lies about: it must not be enough to make challenges or to find out about them.
TEST_F(StoreFiles, LeaveTheChallengeKeyOutOfBackups) {
  const auto backup = setting_.folder / "backup";
  ASSERT_THAT(setting_.store->backup(backup), Succeeds());
  const auto state = setting_.store->state().value();
  const std::string key(as_text(state->challenge_key->reveal()));
  EXPECT_EQ(content_of(backup).find(key), std::string::npos);
  EXPECT_NE((content_of(path()) + content_of(path() + "-wal")).find(key), std::string::npos);
}

TEST_F(StoreFiles, WithADamagedRowAreNotServed) {
  run_sql("UPDATE releases SET uuid = x'01'");
  EXPECT_THAT(setting_.store->state(), Fails(ErrorCode::kMalformed));
  run_sql("UPDATE head SET frontier = x'01'");
  EXPECT_THAT(setting_.store->log_head(), Fails(ErrorCode::kMalformed));
}

TEST_F(StoreFiles, ShowWhoeverChangedTheLog) {
  const auto verify = [&] { return verify_log(*setting_.store, {}, {}); };
  ASSERT_THAT(verify(), Succeeds());
  run_sql("CREATE TABLE kept AS SELECT * FROM entries");
  const std::vector<std::string> changes = {
      "UPDATE entries SET entry = (SELECT entry FROM kept WHERE number = 2) WHERE number = 3",
      "DELETE FROM entries WHERE number = 2",
      "DELETE FROM entries WHERE number = (SELECT MAX(number) FROM entries)",
      "UPDATE entries SET entry = x'00' WHERE number = 1",
  };
  for (const std::string& change : changes) {
    run_sql(change);
    EXPECT_FALSE(verify().ok()) << change;
    run_sql("DELETE FROM entries; INSERT INTO entries SELECT * FROM kept");
    ASSERT_THAT(verify(), Succeeds());
  }
}

TEST_F(StoreFiles, ShowARewrittenLogByAnOldCheckpoint) {
  const auto signer = setting_.log_key.signer().value();
  const auto checkpoint = make_checkpoint(*setting_.store, *signer).value();
  // Rolled back to a log that is whole in itself, and gone on from there.
  Setting other;
  run_sql("ATTACH '" + (other.folder / "broker.store").string() +
          "' AS other; DELETE FROM entries; INSERT INTO entries SELECT * FROM other.entries;"
          "UPDATE head SET size = (SELECT size FROM other.head),"
          " frontier = (SELECT frontier FROM other.head)");
  ASSERT_THAT(verify_log(*setting_.store, {}, {}), Succeeds());
  EXPECT_THAT(verify_log(*setting_.store, {&checkpoint.text, 1}, {}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("is not the one of the checkpoint")));
}

TEST(StoreNames, DoNotHoldPasswords) {
  EXPECT_THAT(Store::open("postgresql://me:secret@localhost/db"),
              FailsWith(ErrorCode::kUsage, HasSubstr("password")));
  EXPECT_THAT(Store::open("postgresql://localhost/db?password=secret"), Fails(ErrorCode::kUsage));
  EXPECT_THAT(Store::open("postgresql://localhost:99999999/"), Fails(ErrorCode::kTryAgain));
  EXPECT_THAT(Store::open(""), Fails(ErrorCode::kUsage));
}
#endif

}  // namespace
}  // namespace sealpack::broker
