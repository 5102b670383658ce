// SPDX-License-Identifier: Apache-2.0
// The log of a store, its checkpoints and its backups.
#include <sys/stat.h>

#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/log.h"
#include "keymgmt/broker/merkle.h"
#include "keymgmt/broker/store/postgres_database.h"
#include "keymgmt/crypto/random.h"
#include "tests/keymgmt/broker/store_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Fails;
using sealpack::testing::FailsWith;
using sealpack::testing::make_key;
using sealpack::testing::Succeeds;
using ::testing::HasSubstr;
using namespace testing;

class KeptLogs : public StoreTest {};

TEST_F(KeptLogs, HaveALogThatVerifies) {
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

TEST_F(KeptLogs, GiveAsManyEntriesAsAreAskedFor) {
  constexpr std::uint64_t kMany = 4500;  // more than a store gives at once
  while (store().log_head()->size < kMany) {
    std::vector<Decision> many;
    for (int i = 0; i < 500; ++i) {
      many.push_back(decision(0));
      many.back().nonce = to_vector(crypto::random_array<32>());
      many.back().entry.nonce = Digest{crypto::random_array<32>()};
    }
    commit(many);
  }
  const std::uint64_t size = store().log_head()->size;
  const auto given = [&](std::uint64_t first, std::uint64_t count) {
    std::uint64_t next = first;
    EXPECT_THAT(for_each_entry(store(), first, count,
                               [&](std::uint64_t index, Bytes entry) -> Status {
                                 EXPECT_EQ(index, next++);
                                 EXPECT_TRUE(std::ranges::equal(
                                     entry, store().log_entries(index, 1)->at(0)));
                                 return done();
                               }),
                Succeeds());
    return next - first;
  };
  EXPECT_EQ(given(0, ~std::uint64_t{0}), size);
  EXPECT_EQ(given(3, 4200), 4200U);
  EXPECT_EQ(given(size - 1, 2), 1U);
  EXPECT_EQ(given(size, 1), 0U);
  EXPECT_EQ(given(~std::uint64_t{0}, 5), 0U);
  EXPECT_THAT(for_each_entry(store(), 0, 5,
                             [](std::uint64_t /*index*/, Bytes /*entry*/) -> Status {
                               return Error(ErrorCode::kIo, "enough");
                             }),
              Fails(ErrorCode::kIo));
}

TEST_F(KeptLogs, VerifyTheirLogAgainstCheckpointsOfThisLogAlone) {
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
  const std::string stem = origin.substr(0, origin.find("/1/"));
  fails(sign(stem + "/2/" + to_hex(state->epoch_id), head), "epoch 2");
  fails(sign(stem + "/1", head), "another log");
  fails(sign(stem + "/01/" + to_hex(state->epoch_id), head), "another log");
  fails(sign(stem + "/1/" + std::string(32, '0'), head), "is not the one of the checkpoint");
  fails(sign(stem + "/1/", head), "is not the one of the checkpoint");
  const auto other = make_key(crypto::KeyType::kEd25519);
  const std::string forged = sign_checkpoint(origin, head, *other.signer().value())->text;
  fails(forged, "not signed by a key of the log");
  const auto key = sealpack::testing::verifying_key(other);
  EXPECT_THAT(verify_log(store(), {&forged, 1}, {&key, 1}), Succeeds());
}

TEST_F(KeptLogs, ComeBackFromABackupInANewEpoch) {
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

// Whoever shows one log here and another there is found out by anybody who sees both.
TEST_F(KeptLogs, AreNotTheSameAfterTwoRestoresOfOneBackup) {
  const auto signer = setting_->log_key.signer().value();
  const auto before = make_checkpoint(store(), *signer).value();
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto one = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  const auto two = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  EXPECT_NE(one->log_head()->root, two->log_head()->root);
  EXPECT_NE(log_origin(*one->state().value()), log_origin(*two->state().value()));
  const auto of_one = make_checkpoint(*one, *signer).value();
  const auto of_two = make_checkpoint(*two, *signer).value();
  const std::string both[] = {before.text, of_one.text};
  EXPECT_THAT(verify_log(*one, both, {}), Succeeds());
  EXPECT_THAT(verify_log(*one, {&of_two.text, 1}, {}),
              FailsWith(ErrorCode::kNotAuthentic,
                        HasSubstr("epoch 2 of another restore of the same backup")));
  EXPECT_THAT(verify_log(*two, {&of_one.text, 1}, {}),
              FailsWith(ErrorCode::kNotAuthentic, HasSubstr("another restore")));
}

// The way back after a clock that was years ahead had all nonces up to then forgotten.
TEST_F(KeptLogs, TakeChallengesOfTheNewEpochWhateverWasForgotten) {
  ASSERT_THAT(store().forget(kNow + 1000000), Succeeds());
  EXPECT_EQ(code_of(decision(1)), "broker.nonce-expired");
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  setting_->store = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  Reconcile change;
  change.floors_unchanged = true;
  ASSERT_THAT(apply(change), Succeeds());
  EXPECT_EQ(code_of(decision(1)), "");
}

// Leases that were lost would count as over before they are.
TEST_F(KeptLogs, AreNotRestoredByAClockThatLiesBehindThem) {
  Decision late = decision(1, kNow + 1000);
  late.entry.time = kNow + 900;
  EXPECT_EQ(code_of(late), "");
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const std::string place = new_uri();
  EXPECT_THAT(Store::restore(folder_ / "backup", place, kNow + 900 - kClockBehind - 1),
              FailsWith(ErrorCode::kRefused, HasSubstr("clock")));
  // Replicas differ a little: then what the backup says is the later.
  const auto restored = Store::restore(folder_ / "backup", place, kNow + 900 - kClockBehind);
  ASSERT_THAT(restored, Succeeds());
  EXPECT_EQ((*restored)->state().value()->restored_at, kNow + 900);
}

TEST_F(KeptLogs, AreRestoredByAClockThatAnOperatorConfirms) {
  Decision future = decision(1, kNow + 1000);
  future.entry.time = kNow + 900;
  EXPECT_EQ(code_of(future), "");
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto restored =
      Store::restore(folder_ / "backup", new_uri(), kNow, RestoreClock::kConfirmed);
  ASSERT_THAT(restored, Succeeds());
  const auto state = (*restored)->state().value();
  EXPECT_EQ(state->restored_at, kNow);
  EXPECT_EQ(state->last_time, kNow);
  EXPECT_EQ(state->clock_confirmed, state->generation);
}

// The clock was years ahead at the restore: nobody waits until then.
TEST_F(KeptLogs, WaitForNoLeasesOfTheFutureOnceTheClockIsConfirmed) {
  constexpr std::uint64_t kYears = 100000000;
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  const auto restored = Store::restore(folder_ / "backup", new_uri(), kNow + kYears).value();
  EXPECT_EQ(restored->state().value()->restored_at, kNow + kYears);
  ASSERT_THAT(restored->apply(ConfirmClock{}, kNow + 5), Succeeds());
  EXPECT_EQ(restored->state().value()->restored_at, kNow + 5);
  // One of the past stays where it was.
  ASSERT_THAT(restored->apply(ConfirmClock{}, kNow + 50), Succeeds());
  EXPECT_EQ(restored->state().value()->restored_at, kNow + 5);
}

TEST_F(KeptLogs, AreReconciledOnce) {
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

// The old store may be the only one that knows what was revoked.
TEST_F(KeptLogs, AreNotRestoredOverAStore) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {5}, "", 0}}), Succeeds());
  EXPECT_THAT(Store::restore(folder_ / "backup", setting_->uri, kNow), Fails(ErrorCode::kRefused));
  EXPECT_EQ(store().state().value()->revocations.size(), 1U);
  const auto restored = Store::restore(folder_ / "backup", new_uri(), kNow).value();
  EXPECT_TRUE(restored->state().value()->revocations.empty());
}

#ifdef BROKER_TEST_POSTGRES
// docs/BROKER.md, section 7: the URI that all replicas have stays.
TEST_F(KeptLogs, AreRestoredUnderTheNameOfAStoreThatWasMovedAway) {
  const std::string name = setting_->uri.substr(setting_->uri.rfind("%3D") + 3);
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  ASSERT_THAT(apply(Revoke{{RevokedKind::kDevice, {5}, "", 0}}), Succeeds());
  PostgresServer::get()->run("ALTER SCHEMA " + name + " RENAME TO " + name + "_broken");
  PostgresServer::get()->run("CREATE SCHEMA " + name);
  ASSERT_THAT(Store::restore(folder_ / "backup", setting_->uri, kNow), Succeeds());
  const auto state = Store::open(setting_->uri).value()->state().value();
  EXPECT_EQ(state->epoch, 2U);
  EXPECT_FALSE(state->reconciled);
  EXPECT_TRUE(state->revocations.empty());
}

// A large log takes longer to read than any other statement may take.
TEST_F(KeptLogs, AreCopiedHoweverLongItTakes) {
  using internal::Access;
  const auto database = internal::open_postgres(setting_->uri).value();
  const auto timeout = [&] {
    const auto row = database->query_one("SELECT current_setting('statement_timeout')").value();
    return std::get<std::string>(row.at(0));
  };
  EXPECT_EQ(timeout(), "30s");
  {
    const auto transaction = internal::Transaction::begin(*database, Access::kReadAll);
    ASSERT_THAT(transaction, Succeeds());
    EXPECT_EQ(timeout(), "0");
  }
  EXPECT_EQ(timeout(), "30s");
}
#endif

// From here into a file, from there into this kind of database.
TEST_F(KeptLogs, AreRestoredFromBackupsOfEitherDatabase) {
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

TEST_F(KeptLogs, AreNotOverwrittenByARestore) {
  ASSERT_THAT(store().backup(folder_ / "backup"), Succeeds());
  EXPECT_THAT(Store::restore(folder_ / "backup", setting_->uri, kNow), Fails(ErrorCode::kRefused));
  EXPECT_THAT(Store::open(setting_->uri), Succeeds());
  EXPECT_THAT(store().backup(folder_ / "backup"), Fails(ErrorCode::kRefused));
}

}  // namespace
}  // namespace sealpack::broker
