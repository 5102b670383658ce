// SPDX-License-Identifier: Apache-2.0
// Brokers killed at any moment, under load: what a client got is in the log, no challenge is
// answered twice, no more instances run than the licence has.
#include "tests/keymgmt/broker/replica.h"

#include <chrono>
#include <ctime>
#include <random>

#include "keymgmt/broker/log.h"
#include "keymgmt/crypto/sha256.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/keymgmt/broker/postgres_server.h"
#include "tests/testing/result_matchers.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;
using namespace testing;

// What clients got, by SHA-256 of the nonce.
struct Harvest {
  std::mutex mutex;
  std::map<Digest, int> grants;
  std::map<std::string, int> refusals;
  int unanswered = 0;

  // All instances of the licence run, and a challenge was answered to twice.
  bool is_enough() {
    const std::lock_guard lock(mutex);
    return refusals["broker.nonce-used"] > 0 && refusals["broker.licence-instances"] > 0;
  }
  void take(const Digest& nonce, const std::optional<Answer>& answer) {
    const std::lock_guard lock(mutex);
    if (!answer) {
      ++unanswered;
    } else if (answer->kind == Answer::Kind::kGrant) {
      ++grants[nonce];
    } else {
      ++refusals[codes_of(*answer)];
    }
  }
};

class KilledBrokers : public ::testing::Test {
 protected:
  static constexpr int kKills = 12;
  static constexpr int kClients = 6;
  static constexpr std::uint64_t kInstances = 25;

  void prepare(const std::string& uri, int replicas) {
    setting_.emplace(uri);
    const auto put = [&](const char* name, const crypto::PrivateKey& key) {
      const auto der = key.to_pkcs8();
      setting_->folder.put(std::string("keys/") + name, std::string(as_text(der.reveal())));
    };
    put("recipient", setting_->recipient);
    put("grants", setting_->grants);
    // Leases that outlive the test.
    ASSERT_THAT(setting_->apply(PutLicence{
                    {setting_->release.authority, "test product", kInstances, 0, 0, 100000, {}}}),
                Succeeds());
    // Theirs is the clock of this machine.
    *setting_->clock = static_cast<std::uint64_t>(std::time(nullptr));
    ASSERT_THAT(setting_->apply(ConfirmClock{}), Succeeds());
    for (int i = 0; i < replicas; ++i) {
      replicas_.push_back(
          std::make_unique<Replica>(setting_->uri, (setting_->folder / "keys").string()));
      ASSERT_NO_FATAL_FAILURE(replicas_.back()->start());
    }
  }

  // One client after the other; each request goes to two replicas, or twice to the one, and again
  // where nobody answered.
  void ask(unsigned seed) {
    std::minstd_rand random(seed);
    while (!over_) {
      Replica& first = *replicas_[random() % replicas_.size()];
      Replica& second = *replicas_[random() % replicas_.size()];
      Client client(*setting_);
      const auto challenge = first.ask_challenge(serialize(client.subject));
      if (!challenge || challenge->kind != Answer::Kind::kChallenge) continue;
      const auto reply = parse_challenge_reply(challenge->body).value();
      const Digest nonce = crypto::sha256(reply.challenge.nonce);
      const ByteVector request = client.release_request(reply);
      auto other = std::async(std::launch::async, [&] { return second.ask_release(request); });
      harvest_.take(nonce, first.ask_release(request));
      harvest_.take(nonce, other.get());
      harvest_.take(nonce, first.ask_release(request));
    }
  }

  void kill_in_turn() {
    std::vector<std::thread> clients;
    for (unsigned i = 0; i < kClients; ++i) clients.emplace_back([this, i] { ask(i + 1); });
    std::minstd_rand random(17);
    for (int i = 0; i < kKills; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30 + random() % 200));
      Replica& victim = *replicas_[static_cast<std::size_t>(i) % replicas_.size()];
      victim.kill();
      victim.start();
    }
    // A slow machine may have done little between the kills.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10);
    while (!harvest_.is_enough() && !HasFailure() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    over_ = true;
    for (auto& client : clients) client.join();
    for (auto& replica : replicas_) replica->kill();
  }

  void expect_nothing_lost_or_doubled() {
    const auto store = Store::open(setting_->uri).value();
    ASSERT_THAT(verify_log(*store, {}, {}), Succeeds());
    std::map<Digest, EntryKind> answered;
    std::set<loader::Instance> instances;
    for (const LogEntry& entry : entries_of(*store)) {
      if (entry.kind != EntryKind::kGrant && entry.kind != EntryKind::kRefusal) continue;
      EXPECT_TRUE(answered.emplace(entry.nonce, entry.kind).second) << "a nonce was spent twice";
      if (entry.instance) instances.insert(*entry.instance);
    }
    for (const auto& [nonce, times] : harvest_.grants) {
      EXPECT_EQ(times, 1) << "one challenge brought several grants";
      ASSERT_TRUE(answered.contains(nonce)) << "a grant is not in the log";
      EXPECT_EQ(answered.at(nonce), EntryKind::kGrant);
    }
    EXPECT_LE(instances.size(), kInstances);
    EXPECT_EQ(store->leases(kNow)->size(), instances.size());
    // The test did what it is for.
    EXPECT_EQ(instances.size(), kInstances);
    EXPECT_GT(answered.size(), kInstances);
    EXPECT_GT(harvest_.refusals["broker.nonce-used"], 0);
    EXPECT_GT(harvest_.refusals["broker.licence-instances"], 0);
    for (const auto& [codes, count] : harvest_.refusals) {
      EXPECT_TRUE(codes == "broker.nonce-used" || codes == "broker.licence-instances" ||
                  codes == "broker.store")
          << codes << " " << count;
    }
  }

  std::optional<Setting> setting_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  Harvest harvest_;
  std::atomic<bool> over_{false};
};

#ifndef BROKER_TEST_POSTGRES
TEST_F(KilledBrokers, OnAFileLoseNothingAndDoNothingTwice) {
  ASSERT_NO_FATAL_FAILURE(prepare("", 1));
  kill_in_turn();
  expect_nothing_lost_or_doubled();
}

#else
// Two replicas on one database, each killed while the other goes on.
TEST_F(KilledBrokers, OnPostgresLoseNothingAndDoNothingTwice) {
  if (PostgresServer::get() == nullptr) {
    GTEST_SKIP() << "PostgreSQL is not installed: nothing of replicas is tested";
  }
  ASSERT_NO_FATAL_FAILURE(prepare(PostgresServer::get()->new_database(), 2));
  kill_in_turn();
  expect_nothing_lost_or_doubled();
}
#endif

}  // namespace
}  // namespace sealpack::broker
