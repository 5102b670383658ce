// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/sql_store.h"

#include <algorithm>

#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/store/record_bytes.h"

namespace sealpack::broker::internal {
namespace {

constexpr std::size_t kMaxEntriesAtOnce = 4096;
constexpr std::size_t kForgottenAtOnce = 1024;  // twice what a commit adds at most
constexpr unsigned kLevelHeight = 8;            // of a level of stored nodes

}  // namespace

Result<HeadRow> read_head(Database& database) {
  Columns in(TRY(database.query_one(
      "SELECT generation, epoch, size, frontier, forgotten, reconciled, restored_at, log_id,"
      " epoch_id, last_time, clock_confirmed FROM head WHERE id = 1")));
  HeadRow head;
  head.generation = TRY(in.number());
  head.epoch = TRY(in.number());
  const std::uint64_t size = TRY(in.number());
  head.frontier = TRY(merkle::Frontier::from(size, TRY(parse_digests(TRY(in.bytes())))));
  head.forgotten = TRY(in.number());
  head.reconciled = TRY(in.number()) != 0;
  head.restored_at = TRY(in.number());
  head.log_id = TRY(in.digest());
  head.epoch_id = TRY(in.array<sizeof(EpochId)>());
  head.last_time = TRY(in.number());
  head.clock_confirmed = TRY(in.number());
  return head;
}

Status write_head(Database& database, const HeadRow& head) {
  const std::uint64_t changed = TRY(database.run(
      "UPDATE head SET generation = $1, epoch = $2, size = $3, frontier = $4, forgotten = $5,"
      " reconciled = $6, restored_at = $7, epoch_id = $8, last_time = $9, clock_confirmed = $10"
      " WHERE id = 1",
      {TRY(number_value(head.generation, "generation")), TRY(number_value(head.epoch, "epoch")),
       TRY(number_value(head.frontier.size(), "log size")),
       serialize_digests(head.frontier.hashes()), TRY(number_value(head.forgotten, "time")),
       std::int64_t{head.reconciled}, TRY(number_value(head.restored_at, "time")),
       bytes_value(head.epoch_id), TRY(number_value(head.last_time, "time")),
       TRY(number_value(head.clock_confirmed, "generation"))}));
  if (changed == 1) return done();
  return Error(ErrorCode::kMalformed, "the store has lost its head");
}

void HeadRow::note_time(std::uint64_t now) {
  if (!check_clock(now, last_time)) last_time = std::max(last_time, now);
}

Result<std::uint64_t> LogAppender::add(LogEntry entry) {
  entry.epoch = head_.epoch;
  ByteVector bytes = serialize(entry);
  const std::uint64_t index = head_.frontier.size();
  for (const auto& node : head_.frontier.append(merkle::leaf_hash(bytes))) {
    const unsigned level = node.height / kLevelHeight;
    if (level == 0 || node.height % kLevelHeight != 0) continue;
    nodes_.push_back(
        {std::int64_t{level}, TRY(number_value(node.index, "node")), bytes_value(node.hash.bytes)});
  }
  entries_.push_back({TRY(number_value(index, "log index")), std::move(bytes)});
  return index;
}

Status LogAppender::write(Database& database) {
  TRY(database.run_each("INSERT INTO entries (number, entry) VALUES ($1, $2)", entries_));
  TRY(database.run_each("INSERT INTO nodes (level, number, hash) VALUES ($1, $2, $3)", nodes_));
  return write_head(database, head_);
}

Result<StateVersion> SqlStore::version() {
  const std::lock_guard lock(read_mutex_);
  Columns in(TRY(reader_->query_one("SELECT epoch_id, generation FROM head WHERE id = 1")));
  StateVersion version;
  version.epoch_id = TRY(in.array<sizeof(EpochId)>());
  version.generation = TRY(in.number());
  return version;
}

Result<std::shared_ptr<const State>> SqlStore::state() {
  const std::lock_guard lock(read_mutex_);
  auto transaction = TRY(Transaction::begin(*reader_, Access::kRead));
  auto state = std::make_shared<State>(TRY(read_state(*reader_)));
  TRY(transaction.commit());
  return std::shared_ptr<const State>(std::move(state));
}

Result<std::uint64_t> SqlStore::apply_all(std::span<const Change> changes, std::uint64_t now) {
  const std::lock_guard lock(write_mutex_);
  auto transaction = TRY(Transaction::begin(*writer_, Access::kWrite));
  HeadRow head = TRY(read_head(*writer_));
  head.note_time(now);
  LogAppender log(head);
  std::uint64_t index = 0;
  for (const Change& change : changes) {
    LogEntry entry;
    entry.kind = EntryKind::kChange;
    entry.time = now;
    entry.what = TRY(make_change(*writer_, change, head, now));
    ++head.generation;
    index = TRY(log.add(std::move(entry)));
  }
  TRY(log.write(*writer_));
  TRY(transaction.commit());
  return index;
}

Result<std::vector<Lease>> SqlStore::leases(std::uint64_t now) {
  const std::lock_guard lock(read_mutex_);
  std::vector<Lease> leases;
  TRY(reader_->for_each(
      "SELECT instance, authority, product, release_digest, device, since, ends, renewals"
      " FROM leases WHERE ends > $1 ORDER BY authority, product, since, instance",
      {TRY(number_value(now, "time"))}, [&](const Row& row) -> Status {
        leases.push_back(TRY(read_lease(row)));
        return done();
      }));
  return leases;
}

Result<Committed> SqlStore::commit(const StateVersion& version,
                                   std::span<const Decision> decisions) {
  const std::lock_guard lock(write_mutex_);
  auto transaction = TRY(Transaction::begin(*writer_, Access::kWrite));
  Committed committed = TRY(commit_decisions(*writer_, version, decisions, known_claims_));
  if (committed.stale) return committed;
  TRY(transaction.commit());
  for (const Decision& decision : decisions) {
    if (!decision.claims.empty()) known_claims_.insert(decision.entry.claims.bytes, ++claims_seen_);
  }
  return committed;
}

// In pieces: one transaction that deletes all of a minute would hold up what is decided meanwhile,
// and take memory for it.
Result<bool> SqlStore::forget(std::uint64_t before) {
  const std::lock_guard lock(write_mutex_);
  auto transaction = TRY(Transaction::begin(*writer_, Access::kWrite));
  HeadRow head = TRY(read_head(*writer_));
  if (before > head.forgotten) {
    head.forgotten = before;
    TRY(write_head(*writer_, head));
  }
  const Row end = {TRY(number_value(head.forgotten, "time")), std::int64_t{kForgottenAtOnce}};
  const std::uint64_t nonces =
      TRY(writer_->run("DELETE FROM nonces WHERE (ends, nonce) IN"
                       " (SELECT ends, nonce FROM nonces WHERE ends <= $1 ORDER BY ends LIMIT $2)",
                       end));
  // Leases are fewer, and looked through from the first: when the nonces are gone.
  std::uint64_t leases = 0;
  if (nonces < kForgottenAtOnce) {
    leases =
        TRY(writer_->run("DELETE FROM leases WHERE instance IN"
                         " (SELECT instance FROM leases WHERE ends <= $1 LIMIT $2)",
                         end));
  }
  TRY(transaction.commit());
  return nonces == kForgottenAtOnce || leases == kForgottenAtOnce;
}

Result<LogHead> SqlStore::log_head() {
  const std::lock_guard lock(read_mutex_);
  const HeadRow head = TRY(read_head(*reader_));
  return LogHead{head.frontier.size(), head.frontier.root()};
}

Result<std::vector<ByteVector>> SqlStore::log_entries(std::uint64_t first, std::size_t count) {
  const std::lock_guard lock(read_mutex_);
  std::vector<ByteVector> entries;
  const std::uint64_t wanted = std::min(count, kMaxEntriesAtOnce);
  TRY(reader_->for_each(
      "SELECT number, entry FROM entries WHERE number >= $1 ORDER BY number LIMIT $2",
      {TRY(number_value(first, "log index")), TRY(number_value(wanted, "count"))},
      [&](const Row& row) -> Status {
        Columns in(row);
        if (TRY(in.number()) != first + entries.size()) {
          return Error(ErrorCode::kMalformed,
                       "the log lacks entry " + std::to_string(first + entries.size()));
        }
        entries.push_back(TRY(in.bytes()));
        return done();
      }));
  return entries;
}

Result<std::vector<Digest>> SqlStore::log_nodes(unsigned level, std::uint64_t first,
                                                std::size_t count) {
  std::vector<Digest> nodes;
  if (level == 0) {
    for (const ByteVector& entry : TRY(log_entries(first, count))) {
      nodes.push_back(merkle::leaf_hash(entry));
    }
    return nodes;
  }
  const std::lock_guard lock(read_mutex_);
  TRY(reader_->for_each(
      "SELECT hash FROM nodes WHERE level = $1 AND number >= $2 ORDER BY number LIMIT $3",
      {std::int64_t{level}, TRY(number_value(first, "node")), TRY(number_value(count, "count"))},
      [&](const Row& row) -> Status {
        nodes.push_back(TRY(Columns(row).digest()));
        return done();
      }));
  return nodes;
}

Result<ByteVector> SqlStore::claims(const Digest& digest) {
  const std::lock_guard lock(read_mutex_);
  const auto rows = TRY(
      reader_->query("SELECT claims FROM claims WHERE digest = $1", {bytes_value(digest.bytes)}));
  if (rows.empty()) {
    return Error(ErrorCode::kRefused, "no claims with the digest " + to_hex(digest.bytes));
  }
  return Columns(rows.front()).bytes();
}

Result<bool> SqlStore::has_claimed(Bytes value) {
  const std::lock_guard lock(read_mutex_);
  bool found = false;
  auto transaction = TRY(Transaction::begin(*reader_, Access::kReadAll));
  TRY(reader_->for_each("SELECT claims FROM claims", {}, [&](const Row& row) -> Status {
    found = found || TRY(has_claim(TRY(Columns(row).bytes()), value));
    return done();
  }));
  TRY(transaction.commit());
  return found;
}

}  // namespace sealpack::broker::internal
