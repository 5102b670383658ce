// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/sqlite_database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

namespace sealpack::broker::internal {
namespace {

constexpr int kBusyMilliseconds = 10000;

struct CloseStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, CloseStatement>;

class SqliteDatabase final : public Database {
 public:
  Status open(const std::filesystem::path& path) {
    name_ = printable(path.string());
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    database_.reset(raw);
    if (status != SQLITE_OK) return error(status);
    path_ = path;
    if (::stat(path_.c_str(), &opened_) != 0) {
      return Error(ErrorCode::kIo, name_ + ": " + std::strerror(errno));
    }
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, kBusyMilliseconds);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                               "PRAGMA cell_size_check=ON", "PRAGMA foreign_keys=ON"}) {
      TRY(for_each(pragma, {}, [](const Row&) { return done(); }));
    }
    return done();
  }

  Status begin(Access access) override {
    TRY(check_in_place());
    // A reader sees the moment of its first read.
    TRY(run(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
    return done();
  }
  Status commit() override {
    const auto committed = run("COMMIT");
    if (committed.ok()) return done();
    Error why = committed.error();
    rollback();
    return why;
  }
  void rollback() override {
    // A failed statement may have ended the transaction already.
    if (sqlite3_get_autocommit(database_.get()) == 0) static_cast<void>(run("ROLLBACK").ok());
  }

  Status for_each(const char* sql, const Row& parameters,
                  const std::function<Status(const Row&)>& row) override {
    // Outside of a transaction a statement is one by itself.
    if (sqlite3_get_autocommit(database_.get()) != 0) TRY(check_in_place());
    sqlite3_stmt* statement = TRY(bound(sql, parameters));
    const Reset reset{statement};
    Row values;
    while (TRY(step(statement))) {
      values.clear();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        values.push_back(TRY(column(statement, i)));
      }
      TRY(row(values));
    }
    return done();
  }

  Result<std::vector<std::uint64_t>> run_each(const char* sql,
                                              std::span<const Row> parameters) override {
    std::vector<std::uint64_t> changed;
    for (const Row& row : parameters) {
      sqlite3_stmt* statement = TRY(bound(sql, row));
      const Reset reset{statement};
      while (TRY(step(statement))) {
      }
      changed.push_back(static_cast<std::uint64_t>(sqlite3_changes64(database_.get())));
    }
    return changed;
  }

 private:
  // A file that was moved away goes on working for whoever has it open, and hears of nothing that
  // is revoked in the one which took its place.
  Status check_in_place() const {
    struct stat now {};
    const bool same = ::stat(path_.c_str(), &now) == 0 && now.st_dev == opened_.st_dev &&
                      now.st_ino == opened_.st_ino;
    if (same) return done();
    return Error(ErrorCode::kIo, name_ + " was moved or replaced while it was open")
        .with_hint("start the broker again");
  }

  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  };

  Error error(int status) const {
    const int primary = status & 0xff;
    const bool passing = primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
    const char* why = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(status);
    if (primary == SQLITE_NOTADB) {
      return {ErrorCode::kMalformed, name_ + " is not a store of a broker"};
    }
    return {passing ? ErrorCode::kTryAgain : ErrorCode::kIo, name_ + ": " + why};
  }

  Result<sqlite3_stmt*> bound(const char* sql, const Row& parameters) {
    StatementPtr& statement = statements_[sql];
    if (!statement) {
      sqlite3_stmt* raw = nullptr;
      const int status =
          sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
      if (status != SQLITE_OK) return error(status);
      statement.reset(raw);
    }
    int at = 0;
    for (const Value& value : parameters) {
      const int status = bind(statement.get(), ++at, value);
      if (status != SQLITE_OK) return error(status);
    }
    return statement.get();
  }

  // The parameters outlive the call that binds them.
  static int bind(sqlite3_stmt* statement, int at, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      return sqlite3_bind_int64(statement, at, *number);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
      return sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    }
    const ByteVector& bytes = std::get<ByteVector>(value);
    // A null pointer would be NULL, not an empty blob.
    return sqlite3_bind_blob64(statement, at,
                               bytes.empty() ? "" : static_cast<const void*>(bytes.data()),
                               bytes.size(), SQLITE_STATIC);
  }

  Result<bool> step(sqlite3_stmt* statement) {
    const int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) return true;
    if (status == SQLITE_DONE) return false;
    return error(status);
  }

  Result<Value> column(sqlite3_stmt* statement, int at) const {
    const auto size = [&] { return static_cast<std::size_t>(sqlite3_column_bytes(statement, at)); };
    switch (sqlite3_column_type(statement, at)) {
      case SQLITE_INTEGER:
        return Value(std::int64_t{sqlite3_column_int64(statement, at)});
      case SQLITE_TEXT: {
        const auto* text = sqlite3_column_text(statement, at);
        return Value(std::string(as_text({text, size()})));
      }
      case SQLITE_BLOB: {
        const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, at));
        return Value(bytes == nullptr ? ByteVector() : to_vector({bytes, size()}));
      }
      default:
        return Error(ErrorCode::kMalformed, name_ + " holds a value that belongs to no sealpack");
    }
  }

  std::string name_;
  std::filesystem::path path_;
  struct stat opened_ {};
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::map<const char*, StatementPtr> statements_;  // by address; destroyed before database_
};

Error system_error(const std::filesystem::path& path, const std::string& what) {
  return {ErrorCode::kIo, what + " " + printable(path.string()) + ": " + std::strerror(errno)};
}

}  // namespace

Status create_sqlite(const std::filesystem::path& path) {
  const int file =
      ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file < 0 && errno == EEXIST) {
    return Error(ErrorCode::kRefused, printable(path.string()) + " is there already");
  }
  if (file < 0) return system_error(path, "cannot make");
  ::close(file);
  return done();
}

Result<std::unique_ptr<Database>> open_sqlite(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return system_error(path, "cannot open");
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorCode::kIo, printable(path.string()) + " is no file");
  }
  // The write-ahead log gets the mode of the file.
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 || status.st_uid != ::geteuid()) {
    return Error(ErrorCode::kRefused, printable(path.string()) + " is open to other users")
        .with_hint("chmod 600, and owned by the user the broker runs as");
  }
  auto database = std::make_unique<SqliteDatabase>();
  TRY(database->open(path));
  return std::unique_ptr<Database>(std::move(database));
}

Result<std::optional<FileKind>> sqlite_file_kind(Database& database) {
  const std::uint64_t kind =
      TRY(Columns(TRY(database.query_one("PRAGMA application_id"))).number());
  if (kind == static_cast<std::uint64_t>(FileKind::kStore)) return std::optional(FileKind::kStore);
  if (kind == static_cast<std::uint64_t>(FileKind::kBackup))
    return std::optional(FileKind::kBackup);
  const std::uint64_t tables =
      TRY(Columns(TRY(database.query_one("SELECT COUNT(*) FROM sqlite_master"))).number());
  if (kind == 0 && tables == 0) return std::optional<FileKind>();
  return Error(ErrorCode::kMalformed, "a database of another program, not a store of a broker");
}

Status set_sqlite_file_kind(Database& database, FileKind kind) {
  // A pragma takes no parameters; it runs inside the transaction that makes the tables.
  static_assert(static_cast<std::int32_t>(FileKind::kStore) == 1399865963);
  static_assert(static_cast<std::int32_t>(FileKind::kBackup) == 1399865954);
  TRY(database.run(kind == FileKind::kStore ? "PRAGMA application_id=1399865963"
                                            : "PRAGMA application_id=1399865954"));
  return done();
}

}  // namespace sealpack::broker::internal
