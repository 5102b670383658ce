// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include "keymgmt/broker/store.h"
#include "tests/keymgmt/broker/broker_setting.h"
#include "tests/keymgmt/broker/postgres_server.h"
#include "tests/testing/result_matchers.h"

// What the tests of stores share: each runs over the database that its program is for.
namespace sealpack::broker::testing {

inline constexpr const char* kProduct = "test product";

#ifdef BROKER_TEST_POSTGRES
inline constexpr bool kPostgres = true;
#else
inline constexpr bool kPostgres = false;
#endif

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kPostgres && PostgresServer::get() == nullptr) {
      GTEST_SKIP() << "PostgreSQL is not installed: nothing of replicas is tested";
    }
    setting_.emplace(new_uri());
  }
  std::string new_uri() {
    if (kPostgres) return PostgresServer::get()->new_database();
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
    const auto committed = store().commit(store().version().value(), decisions);
    EXPECT_THAT(committed, sealpack::testing::Succeeds());
    EXPECT_FALSE(committed->stale);
    return committed->outcomes;
  }
  // "" where it was accepted.
  std::string code_of(const Decision& one) { return commit({one}).front().reason.code; }

  sealpack::testing::TemporaryFolder folder_;
  int stores_ = 0;
  std::optional<Setting> setting_;
};

}  // namespace sealpack::broker::testing
