// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "keymgmt/broker/forgetful_set.h"
#include "keymgmt/broker/merkle.h"
#include "keymgmt/broker/store.h"
#include "keymgmt/broker/store/database.h"

namespace sealpack::broker::internal {

// The row of `head`: what every transaction that writes reads first.
struct HeadRow {
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  merkle::Frontier frontier;
  std::uint64_t forgotten = 0;
  bool reconciled = true;
  std::uint64_t restored_at = 0;
  Digest log_id;
  EpochId epoch_id{};
  std::uint64_t last_time = 0;
  std::uint64_t clock_confirmed = 0;

  StateVersion version() const { return {epoch_id, generation}; }
  // Something was logged at `now`; a clock that is off does not move what is compared with it.
  void note_time(std::uint64_t now);
};
Result<HeadRow> read_head(Database& database);
Status write_head(Database& database, const HeadRow& head);

// Entries that one transaction adds to the log.
class LogAppender {
 public:
  explicit LogAppender(HeadRow& head) : head_(head) {}
  // Its index. Stamps the epoch.
  Result<std::uint64_t> add(LogEntry entry);
  // Writes entries, nodes and head.
  Status write(Database& database);

 private:
  HeadRow& head_;
  std::vector<Row> entries_;
  std::vector<Row> nodes_;
};

// sql_state.cc
Result<State> read_state(Database& database);
// sql_change.cc: makes the change and says in words what it was.
Result<std::string> make_change(Database& database, const Change& change, HeadRow& head,
                                std::uint64_t now);
Result<Lease> read_lease(const Row& row);
Status insert_challenge_key(Database& database);  // a new one; there is none
// sql_commit.cc. `known_claims`: claims that are in the store.
using KnownClaims = ForgetfulSet<Digest::kSize>;
Result<Committed> commit_decisions(Database& database, const StateVersion& version,
                                   std::span<const Decision> decisions, KnownClaims& known_claims);

class SqlStore final : public Store {
 public:
  SqlStore(std::unique_ptr<Database> writer, std::unique_ptr<Database> reader)
      : writer_(std::move(writer)), reader_(std::move(reader)) {}

  Result<StateVersion> version() override;
  Result<std::shared_ptr<const State>> state() override;
  Result<std::uint64_t> apply_all(std::span<const Change> changes, std::uint64_t now) override;
  Result<std::vector<Lease>> leases(std::uint64_t now) override;
  Result<Committed> commit(const StateVersion& version,
                           std::span<const Decision> decisions) override;
  Result<bool> forget(std::uint64_t before) override;
  Result<LogHead> log_head() override;
  Result<std::vector<ByteVector>> log_entries(std::uint64_t first, std::size_t count) override;
  Result<std::vector<Digest>> log_nodes(unsigned level, std::uint64_t first,
                                        std::size_t count) override;
  Result<ByteVector> claims(const Digest& digest) override;
  Result<bool> has_claimed(Bytes value) override;
  Status backup(const std::filesystem::path& file) override;

 private:
  static constexpr std::size_t kMaxKnownClaims = 16384;

  std::mutex write_mutex_;
  std::unique_ptr<Database> writer_;
  KnownClaims known_claims_{kMaxKnownClaims};
  std::uint64_t claims_seen_ = 0;
  std::mutex read_mutex_;
  std::unique_ptr<Database> reader_;
};

}  // namespace sealpack::broker::internal
