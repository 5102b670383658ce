// SPDX-License-Identifier: Apache-2.0
// Stores are made, opened, copied and restored.
#include "formats/base/utc_text.h"
#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/store/postgres_database.h"
#include "keymgmt/broker/store/record_bytes.h"
#include "keymgmt/broker/store/schema.h"
#include "keymgmt/broker/store/sql_store.h"
#include "keymgmt/broker/store/sqlite_database.h"
#include "keymgmt/crypto/random.h"

namespace sealpack::broker {
namespace internal {
namespace {

constexpr std::size_t kRowsAtOnce = 512;

// Where a store lies.
struct Place {
  bool postgres = false;
  std::string where;  // URI or path
};

Result<Place> parse_uri(const std::string& uri) {
  if (uri.starts_with("postgresql://") || uri.starts_with("postgres://")) return Place{true, uri};
  constexpr std::string_view kSqlite = "sqlite:";
  std::string path = uri.starts_with(kSqlite) ? uri.substr(kSqlite.size()) : uri;
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error(ErrorCode::kUsage, "no store is named");
  }
  return Place{false, std::move(path)};
}

Result<std::unique_ptr<Database>> connect(const Place& place) {
  return place.postgres ? open_postgres(place.where) : open_sqlite(place.where);
}

Result<bool> has_tables(Database& database, bool postgres) {
  const char* sql = postgres ? "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'sealpack_broker'"
                               " AND schemaname = current_schema()"
                             : "SELECT COUNT(*) FROM sqlite_master WHERE name = 'sealpack_broker'";
  return TRY(Columns(TRY(database.query_one(sql))).number()) != 0;
}

// A connection to a store that is one.
Result<std::unique_ptr<Database>> connect_to_store(const Place& place) {
  auto database = TRY(connect(place));
  if (!place.postgres) {
    const auto kind = TRY(sqlite_file_kind(*database));
    if (kind == FileKind::kBackup) {
      return Error(ErrorCode::kMalformed, printable(place.where) + " is a backup, not a store")
          .with_hint("restore it into a new store: sealpack broker restore");
    }
  }
  if (!TRY(has_tables(*database, place.postgres))) {
    return Error(ErrorCode::kMalformed, "there is no store of a broker in it")
        .with_hint("make one: sealpack broker init");
  }
  TRY(check_schema(*database));
  return database;
}

Result<std::shared_ptr<Store>> open_at(const Place& place) {
  auto writer = TRY(connect_to_store(place));
  return std::shared_ptr<Store>(
      std::make_shared<SqlStore>(std::move(writer), TRY(connect_to_store(place))));
}

Status append_opened(Database& database, HeadRow& head, std::uint64_t now, std::string what) {
  LogEntry entry;
  entry.kind = EntryKind::kOpened;
  entry.time = now;
  entry.epoch_id = head.epoch_id;
  entry.what = std::move(what);
  LogAppender log(head);
  TRY(log.add(std::move(entry)));
  return log.write(database);
}

Status fill_new(Database& database, std::uint64_t now) {
  TRY(database.run("INSERT INTO sealpack_broker (version) VALUES ($1)",
                   {TRY(number_value(kSchema, "version"))}));
  TRY(database.run(
      "INSERT INTO head (id, generation, epoch, size, frontier, forgotten, reconciled,"
      " restored_at, log_id, epoch_id, last_time, clock_confirmed)"
      " VALUES (1, 1, 1, 0, $1, 0, 1, 0, $2, $3, $4, 0)",
      {ByteVector(), bytes_value(crypto::random_array<Digest::kSize>()),
       bytes_value(crypto::random_array<sizeof(EpochId)>()), TRY(number_value(now, "time"))}));
  TRY(insert_challenge_key(database));
  HeadRow head = TRY(read_head(database));
  return append_opened(database, head, now, "make the store");
}

// A new, empty place with tables; `fill` runs in the transaction that makes them.
Status make_store(const Place& place, FileKind kind, const std::function<Status(Database&)>& fill) {
  if (!place.postgres) TRY(create_sqlite(place.where));
  const auto make = [&]() -> Status {
    auto database = TRY(connect(place));
    auto transaction = TRY(Transaction::begin(*database, Access::kWrite));
    if (TRY(has_tables(*database, place.postgres))) {
      return Error(ErrorCode::kRefused, "there is a store of a broker already");
    }
    if (!place.postgres) TRY(set_sqlite_file_kind(*database, kind));
    TRY(create_tables(*database));
    TRY(fill(*database));
    return transaction.commit();
  };
  Status made = make();
  if (!made.ok() && !place.postgres) {
    // What we made in this call and what SQLite put beside it.
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::error_code ignored;
      std::filesystem::remove(place.where + suffix, ignored);
    }
  }
  return made;
}

Status copy_table(const Table& table, Database& from, Database& to) {
  std::vector<Row> rows;
  const auto flush = [&]() -> Status {
    TRY(to.run_each(table.insert, rows));
    rows.clear();
    return done();
  };
  TRY(from.for_each(table.select, {}, [&](const Row& row) -> Status {
    rows.push_back(row);
    return rows.size() < kRowsAtOnce ? done() : flush();
  }));
  return flush();
}

Status copy_tables(Database& from, Database& to) {
  for (const Table& table : tables()) {
    if (table.in_backups) TRY(copy_table(table, from, to).within(table.name));
  }
  return done();
}

// What makes a copy a store of the next epoch.
Status open_epoch(Database& database, std::uint64_t now, RestoreClock clock) {
  HeadRow head = TRY(read_head(database));
  ++head.generation;
  ++head.epoch;
  head.epoch_id = crypto::random_array<sizeof(EpochId)>();
  if (clock == RestoreClock::kConfirmed) {
    head.last_time = now;
    head.clock_confirmed = head.generation;
  } else if (now + kClockBehind < head.last_time) {
    return Error(ErrorCode::kRefused, "the clock says " + utc_text(now) +
                                          ", the backup has entries up to " +
                                          utc_text(head.last_time))
        .with_hint("put the clock right; where it is right, and was wrong then: --clock");
  }
  head.last_time = std::max(head.last_time, now);
  head.reconciled = false;
  head.restored_at = head.last_time;
  head.forgotten = 0;  // no challenge of before is taken anyway
  TRY(insert_challenge_key(database));
  return append_opened(database, head, now,
                       "restore: epoch " + std::to_string(head.epoch) + " from a backup of " +
                           std::to_string(head.frontier.size()) + " entries");
}

}  // namespace

Status insert_challenge_key(Database& database) {
  auto secret = crypto::random_array<kChallengeKeySize>();
  const auto inserted =
      database.run("INSERT INTO challenge_key (id, secret) VALUES (1, $1)", {bytes_value(secret)});
  crypto::wipe(secret);
  TRY(inserted);
  return done();
}

Status SqlStore::backup(const std::filesystem::path& file) {
  const std::lock_guard lock(read_mutex_);
  return make_store({false, file.string()}, FileKind::kBackup, [&](Database& copy) -> Status {
    auto transaction = TRY(Transaction::begin(*reader_, Access::kReadAll));
    TRY(copy_tables(*reader_, copy));
    return transaction.commit();
  });
}

}  // namespace internal

Result<std::shared_ptr<Store>> Store::create(const std::string& uri, std::uint64_t now) {
  const auto place = TRY(internal::parse_uri(uri));
  TRY(internal::make_store(place, internal::FileKind::kStore, [&](internal::Database& database) {
    return internal::fill_new(database, now);
  }));
  return internal::open_at(place);
}

Result<std::shared_ptr<Store>> Store::open(const std::string& uri) {
  return internal::open_at(TRY(internal::parse_uri(uri)));
}

Result<std::shared_ptr<Store>> Store::restore(const std::filesystem::path& file,
                                              const std::string& uri, std::uint64_t now,
                                              RestoreClock clock) {
  const auto place = TRY(internal::parse_uri(uri));
  auto backup = TRY(internal::open_sqlite(file));
  if (TRY(internal::sqlite_file_kind(*backup)) != internal::FileKind::kBackup) {
    return Error(ErrorCode::kMalformed, printable(file.string()) + " is not a backup");
  }
  TRY(internal::check_schema(*backup));
  TRY(internal::make_store(
      place, internal::FileKind::kStore, [&](internal::Database& database) -> Status {
        auto transaction = TRY(internal::Transaction::begin(*backup, internal::Access::kRead));
        TRY(internal::copy_tables(*backup, database));
        TRY(transaction.commit());
        return internal::open_epoch(database, now, clock);
      }));
  return internal::open_at(place);
}

}  // namespace sealpack::broker
