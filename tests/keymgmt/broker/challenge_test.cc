// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/challenge.h"

#include "tests/keymgmt/broker/release_setting.h"

namespace sealpack::broker {
namespace {

using sealpack::testing::Succeeds;
using namespace testing;

class Challenges : public ::testing::Test {
 protected:
  std::string why_not(const loader::Challenge& challenge, const ChallengeRequest& subject,
                      const ChallengeFacts& now) const {
    const auto checked = check_challenge(key_, challenge, subject, now);
    const auto* reason = std::get_if<Reason>(&checked);
    return reason == nullptr ? "" : reason->code;
  }
  const ByteVector key_ = ByteVector(32, 1);
  const ChallengeRequest subject_{Digest{{1}}, Digest{{2}}, Digest{{3}}, "tdx"};
  const ChallengeFacts facts_{Transport::kOnline, 4, kNow + 60};
  const loader::Challenge challenge_ = make_challenge(key_, subject_, facts_);
};

TEST_F(Challenges, AreTakenForWhatTheyWereMadeFor) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kOnline, 4, kNow}), "");
  EXPECT_EQ(challenge_.nonce.size(), 32U);
  EXPECT_LE(challenge_.id.size(), 256U);
  EXPECT_NE(make_challenge(key_, subject_, facts_).nonce, challenge_.nonce);
}

TEST_F(Challenges, AreOfOneEpoch) {
  for (const std::uint64_t epoch : {3U, 5U}) {
    EXPECT_EQ(why_not(challenge_, subject_, {Transport::kOnline, epoch, kNow}),
              "broker.nonce-epoch");
  }
}

TEST_F(Challenges, AreMadeWithTheKeyOfTheStore) {
  EXPECT_EQ(why_not(make_challenge(ByteVector(32, 2), subject_, facts_), subject_,
                    {Transport::kOnline, 4, kNow}),
            "broker.nonce-forged");
}

TEST_F(Challenges, EndAtTheirTime) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kOnline, 4, kNow + 60}), "");
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kOnline, 4, kNow + 61}),
            "broker.nonce-expired");
}

TEST_F(Challenges, AreForOneTransport) {
  EXPECT_EQ(why_not(challenge_, subject_, {Transport::kFiles, 4, kNow}), "broker.nonce-transport");
}

// A store that loses its connection now and then.
class FailingStore final : public Store {
 public:
  explicit FailingStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  bool fails = false;

  Result<std::uint64_t> generation() override { return store_->generation(); }
  Result<std::shared_ptr<const State>> state() override { return store_->state(); }
  Result<std::uint64_t> apply_all(std::span<const Change> changes, std::uint64_t now) override {
    return store_->apply_all(changes, now);
  }
  Result<std::vector<Lease>> leases(std::uint64_t now) override { return store_->leases(now); }
  Result<Committed> commit(std::uint64_t generation, std::span<const Decision> decisions) override {
    if (fails) return Error(ErrorCode::kTryAgain, "store: the connection is gone");
    return store_->commit(generation, decisions);
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
  Status put_checkpoint(std::uint64_t size, const std::string& text) override {
    return store_->put_checkpoint(size, text);
  }
  Result<std::optional<std::string>> latest_checkpoint() override {
    return store_->latest_checkpoint();
  }
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

TEST(Requests, ForAKeyOfAnotherKindAreRefused) {
  Setting setting;
  setting.start();
  Client client(setting);
  client.exchange = sealpack::testing::make_key(crypto::KeyType::kEcdhP256);
  EXPECT_EQ(codes_of(exchange(*setting.service, client)), "broker.grant");
}

}  // namespace
}  // namespace sealpack::broker
