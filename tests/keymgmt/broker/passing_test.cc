// SPDX-License-Identifier: Apache-2.0
// What passes: stores, clocks and devices that fail for a while cost nobody his challenge. And what
// of requests that prove nothing is kept.
#include <utility>

#include "keymgmt/broker/log_allowance.h"
#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

// A store that loses its connection now and then, or finds another one at its end.
class FailingStore final : public Store {
 public:
  explicit FailingStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  bool fails = false;
  std::function<void()> before_commit;
  void become(std::shared_ptr<Store> other) { store_ = std::move(other); }

  Result<StateVersion> version() override {
    if (fails) return Error(ErrorCode::kTryAgain, "store: the connection is gone");
    return store_->version();
  }
  Result<std::shared_ptr<const State>> state() override { return store_->state(); }
  Result<std::uint64_t> apply_all(std::span<const Change> changes, std::uint64_t now) override {
    return store_->apply_all(changes, now);
  }
  Result<std::vector<Lease>> leases(std::uint64_t now) override { return store_->leases(now); }
  Result<Committed> commit(const StateVersion& version,
                           std::span<const Decision> decisions) override {
    if (before_commit) std::exchange(before_commit, nullptr)();
    if (fails) return Error(ErrorCode::kTryAgain, "store: the connection is gone");
    return store_->commit(version, decisions);
  }
  Result<bool> forget(std::uint64_t before) override { return store_->forget(before); }
  Result<LogHead> log_head() override { return store_->log_head(); }
  Result<std::vector<ByteVector>> log_entries(std::uint64_t first, std::size_t count) override {
    return store_->log_entries(first, count);
  }
  Result<std::vector<Digest>> log_nodes(unsigned level, std::uint64_t first,
                                        std::size_t count) override {
    return store_->log_nodes(level, first, count);
  }
  Result<ByteVector> claims(const Digest& digest) override { return store_->claims(digest); }
  Result<bool> has_claimed(Bytes value) override { return store_->has_claimed(value); }
  Status backup(const std::filesystem::path& file) override { return store_->backup(file); }

 private:
  std::shared_ptr<Store> store_;
};

// No grant leaves before its entry is written; what was not written can be asked for again.
TEST(StoresThatFail, CostNoChallenge) {
  Setting setting;
  const auto store = std::make_shared<FailingStore>(setting.store);
  setting.store = store;
  std::vector<std::string> reports;
  setting.start([&](ServiceOptions& options) {
    options.report = [&](const Error& error) { reports.push_back(error.message()); };
  });
  Client client(setting);
  const ByteVector request = client.release_request(challenge_of(*setting.service, client.subject));
  store->fails = true;
  const Refusal refusal = refusal_in(release_of(*setting.service, request));
  EXPECT_EQ(refusal.code, ErrorCode::kTryAgain);
  EXPECT_EQ(refusal.reasons.at(0).code, "broker.store");
  EXPECT_NE(refusal.retry_after, 0U);
  EXPECT_EQ(reports, std::vector<std::string>{"store: the connection is gone"});
  store->fails = false;
  EXPECT_EQ(codes_of(release_of(*setting.service, request)), "");
  EXPECT_EQ(codes_of(release_of(*setting.service, request)), "broker.nonce-used");
}

class FailingBrokers : public ReleaseTest {
 protected:
  FailingBrokers() { setting_.store = store_; }
  std::shared_ptr<FailingStore> store_ = std::make_shared<FailingStore>(setting_.store);
};

// What was decided has to be decided again, and by then the clock is wrong.
TEST_F(FailingBrokers, KeepNoChallengeThatTheySentAway) {
  constexpr std::uint64_t kUp = 5000;
  setting_.start([](ServiceOptions& options) { options.uptime = [] { return kUp; }; });
  Client client(setting_);
  const ByteVector request = client.release_request(challenge_of(service(), client.subject));
  store_->before_commit = [&] {
    EXPECT_THAT(setting_.apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}), Succeeds());
    *setting_.clock = kNow + 5000;
  };
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.clock");
  *setting_.clock = kNow;
  EXPECT_EQ(codes_of(release_of(service(), request)), "");
}

// Under the same name there is another store, of the same backup perhaps, and further on.
TEST_F(FailingBrokers, GoOnWithNoOtherStore) {
  std::vector<std::string> reports;
  setting_.start([&](ServiceOptions& options) {
    options.report = [&](const Error& error) { reports.push_back(error.message()); };
  });
  Client client(setting_);
  const ByteVector request = client.release_request(challenge_of(service(), client.subject));
  ASSERT_THAT(store_->backup(setting_.folder / "backup"), Succeeds());
  const auto other =
      Store::restore(setting_.folder / "backup", (setting_.folder / "other").string(), kNow)
          .value();
  Reconcile reconcile;
  reconcile.floors_unchanged = true;
  ASSERT_THAT(other->apply(reconcile, kNow), Succeeds());
  // Only the epoch tells that it is another.
  while (store_->version()->generation < other->version()->generation) {
    ASSERT_THAT(store_->apply(Revoke{{RevokedKind::kDevice, {1}, "", 0}}, kNow), Succeeds());
  }
  ASSERT_EQ(service().why_unwell(), std::nullopt);
  store_->become(other);
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.store");
  EXPECT_EQ(service().why_unwell()->code, "broker.store");
  ASSERT_FALSE(reports.empty());
  EXPECT_THAT(reports.front(), HasSubstr("is another"));
}

TEST_F(FailingBrokers, SayThatTheyAreUnwell) {
  constexpr std::uint64_t kUp = 5000;
  const auto still = [](ServiceOptions& options) { options.uptime = [] { return kUp; }; };
  setting_.start(still);
  EXPECT_EQ(service().why_unwell(), std::nullopt);
  store_->fails = true;
  EXPECT_EQ(service().why_unwell()->code, "broker.store");
  store_->fails = false;
  EXPECT_EQ(service().why_unwell(), std::nullopt);
  *setting_.clock = kNow + 5000;
  EXPECT_EQ(service().why_unwell()->code, "broker.clock");
  *setting_.clock = kNow;
  EXPECT_EQ(service().why_unwell(), std::nullopt);
  ASSERT_THAT(store_->backup(setting_.folder / "backup"), Succeeds());
  setting_.service.reset();
  setting_.store =
      Store::restore(setting_.folder / "backup", (setting_.folder / "new").string(), kNow).value();
  setting_.start(still);
  EXPECT_EQ(service().why_unwell()->code, "broker.unreconciled");
}

// Keys in devices.
template <typename Key>
class Away : public Key {
 public:
  Away(std::unique_ptr<Key> key, const bool& away) : key_(std::move(key)), away_(away) {}
  const auto& key() const { return *key_; }
  bool away() const { return away_; }

 private:
  std::unique_ptr<Key> key_;
  const bool& away_;
};

const Error kAway{ErrorCode::kTryAgain, "slot 7 of the token in rack 3 is away"};

class AwayDecryptor final : public Away<crypto::Decryptor> {
 public:
  using Away::Away;
  const crypto::EncryptionKey& public_key() const override { return key().public_key(); }
  Result<crypto::SecretBytes> hpke_open(Bytes enc, Bytes info, Bytes aad,
                                        Bytes ciphertext) const override {
    if (away()) return Error(kAway);
    return key().hpke_open(enc, info, aad, ciphertext);
  }
  Result<crypto::SecretBytes> rsa_oaep_unwrap(Bytes wrapped) const override {
    return key().rsa_oaep_unwrap(wrapped);
  }
};

class AwaySigner final : public Away<crypto::Signer> {
 public:
  using Away::Away;
  const crypto::VerifyingKey& public_key() const override { return key().public_key(); }
  Result<ByteVector> sign(Bytes message) const override {
    if (away()) return Error(kAway);
    return key().sign(message);
  }
};

TEST(DevicesThatAreAway, CostNoChallengeAndNoEntry) {
  Setting setting;
  bool recipient_away = false;
  bool grants_away = false;
  ServiceKeys keys;
  keys.recipients.push_back(
      std::make_unique<AwayDecryptor>(setting.recipient.decryptor().value(), recipient_away));
  keys.grants.push_back(std::make_unique<AwaySigner>(setting.grants.signer().value(), grants_away));
  ServiceOptions options;
  options.lab = true;
  options.clock = options.uptime = [] { return kNow; };
  const auto service = Service::create(setting.store, std::move(keys), options).value();
  Client client(setting);
  const ByteVector request = client.release_request(challenge_of(*service, client.subject));
  const std::uint64_t size = setting.store->log_head()->size;
  const auto refused = [&](bool& away) {
    away = true;
    const Refusal refusal = refusal_in(release_of(*service, request));
    away = false;
    EXPECT_EQ(refusal.code, ErrorCode::kTryAgain);
    EXPECT_EQ(refusal.retry_after, 5U);
    EXPECT_EQ(refusal.log_index, 0U);
    EXPECT_EQ(refusal.reasons.at(0).text.find("rack"), std::string::npos);
    return refusal.reasons.at(0).code;
  };
  EXPECT_EQ(refused(recipient_away), "broker.recipient");
  EXPECT_EQ(refused(grants_away), "broker.grant");
  EXPECT_EQ(setting.store->log_head()->size, size);
  expect_key(setting, client, release_of(*service, request));
}

TEST(LogAllowances, AreOneASecondAfterTheFirst) {
  LogAllowance allowance;
  for (std::uint64_t i = 0; i < LogAllowance::kBurst; ++i) EXPECT_TRUE(allowance.take(100)) << i;
  EXPECT_FALSE(allowance.take(100));
  EXPECT_FALSE(allowance.take(99));
  EXPECT_TRUE(allowance.take(101));
  EXPECT_FALSE(allowance.take(101));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(allowance.take(104)) << i;
  EXPECT_FALSE(allowance.take(104));
  for (std::uint64_t i = 0; i < LogAllowance::kBurst; ++i) {
    EXPECT_TRUE(allowance.take(1000000)) << i;
  }
  EXPECT_FALSE(allowance.take(1000000));
}

class UnprovenRequests : public ReleaseTest {
 protected:
  ByteVector unproven() {
    Client client(setting_);
    auto request = client.request(challenge_of(service(), client.subject));
    request.evidence = {1, 2, 3};
    return serialize(ReleaseRequest{loader::serialize_key_request(request), {}});
  }
  std::uint64_t log_size() { return setting_.store->log_head()->size; }
};

// Whoever knows a bundle can ask for ever.
TEST_F(UnprovenRequests, DoNotFillTheLog) {
  std::atomic<std::uint64_t> uptime = 5000;
  setting_.start([&](ServiceOptions& options) { options.uptime = [&] { return uptime.load(); }; });
  const std::uint64_t before = log_size();
  std::vector<std::promise<Answer>> promises(LogAllowance::kBurst);
  for (auto& promise : promises) {
    service().release(unproven(), Transport::kNetwork,
                      [&](Answer answer) { promise.set_value(std::move(answer)); });
  }
  for (auto& promise : promises) {
    EXPECT_NE(refusal_in(promise.get_future().get()).log_index, 0U);
  }
  EXPECT_EQ(log_size(), before + LogAllowance::kBurst);

  const ByteVector request = unproven();
  const Refusal refusal = refusal_in(release_of(service(), request));
  EXPECT_EQ(refusal.reasons.at(0).code, "broker.evidence");
  EXPECT_EQ(refusal.log_index, 0U);
  EXPECT_EQ(log_size(), before + LogAllowance::kBurst);
  EXPECT_EQ(service().statistics().unlogged, 1U);
  // The challenge is spent all the same, for other processes too.
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-used");
  setting_.start([&](ServiceOptions& options) { options.uptime = [&] { return uptime.load(); }; });
  EXPECT_EQ(codes_of(release_of(service(), request)), "broker.nonce-used");
}

TEST_F(UnprovenRequests, CrowdOutNoOthers) {
  setting_.start([](ServiceOptions& options) { options.uptime = [] { return 5000; }; });
  std::vector<std::promise<Answer>> promises(LogAllowance::kBurst + 1);
  for (auto& promise : promises) {
    service().release(unproven(), Transport::kNetwork,
                      [&](Answer answer) { promise.set_value(std::move(answer)); });
  }
  for (auto& promise : promises) promise.get_future().wait();
  const std::uint64_t before = log_size();
  Client client(setting_);
  EXPECT_EQ(refused_for(client), "");
  client.measurement = Digest{{9}};
  EXPECT_EQ(refused_for(client), "policy.not-accepted");
  EXPECT_EQ(log_size(), before + 2);
}

}  // namespace
}  // namespace sealpack::broker
