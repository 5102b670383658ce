// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/postgres_database.h"

#include <libpq-fe.h>

#include <map>

namespace sealpack::broker::internal {
namespace {

constexpr Oid kInt8 = 20;
constexpr Oid kBytea = 17;
constexpr Oid kText = 25;
constexpr int kBinary = 1;

// What every session starts with. Commits wait for the disk whatever the server's default is; a
// replica that hangs inside a transaction does not keep the others waiting.
constexpr const char* kSession =
    "SET synchronous_commit = on; SET client_encoding = 'UTF8'; SET statement_timeout = '30s';"
    "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s';"
    "SET client_min_messages = error";

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

std::string first_line(const char* text) {
  const std::string_view all(text == nullptr ? "" : text);
  return std::string(all.substr(0, all.find('\n')));
}

bool succeeded(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
      return true;
    default:
      return false;
  }
}

// The parameters of one execution in libpq's form. Views into `row`.
class Parameters {
 public:
  explicit Parameters(const Row& row) : numbers_(row.size()) {
    for (std::size_t i = 0; i < row.size(); ++i) add(row[i], numbers_[i]);
  }
  int count() const { return static_cast<int>(values_.size()); }
  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* sizes() const { return sizes_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void add(const Value& value, std::array<char, 8>& number) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      const auto bits = static_cast<std::uint64_t>(*integer);
      for (unsigned i = 0; i < 8; ++i) number[i] = static_cast<char>(bits >> (56 - 8 * i));
      add(kInt8, number.data(), number.size());
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      add(kText, text->data(), text->size());
    } else {
      const ByteVector& bytes = std::get<ByteVector>(value);
      // A null pointer would be NULL, not an empty value.
      add(kBytea, bytes.empty() ? "" : as_text(bytes).data(), bytes.size());
    }
  }
  void add(Oid type, const char* value, std::size_t size) {
    types_.push_back(type);
    values_.push_back(value);
    sizes_.push_back(static_cast<int>(size));
    formats_.push_back(kBinary);
  }

  std::vector<std::array<char, 8>> numbers_;
  std::vector<Oid> types_;
  std::vector<const char*> values_;
  std::vector<int> sizes_;
  std::vector<int> formats_;
};

// libpq asks for encryption and goes on without; who sits between would read the key that makes
// challenges, and write what he likes.
bool is_here(std::string_view host) {
  return host.starts_with('/') || host == "localhost" || host == "127.0.0.1" || host == "::1";
}

Status check_options(const PQconninfoOption* option) {
  bool remote = false;
  std::string_view encryption;
  for (; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "password") {
      return Error(ErrorCode::kUsage, "the store's URI has a password in it")
          .with_hint("put it into a password file (~/.pgpass, or passfile= in the URI)");
    }
    if (keyword == "host" || keyword == "hostaddr") remote = remote || !is_here(option->val);
    if (keyword == "service") remote = true;
    if (keyword == "sslmode") encryption = option->val;
  }
  if (!remote || encryption == "verify-full") return done();
  return Error(ErrorCode::kUsage, "a store on another machine is reached with sslmode=verify-full")
      .with_hint("postgresql://broker@db/broker?sslmode=verify-full&sslrootcert=…");
}

const char* begin_command(Access access) {
  switch (access) {
    case Access::kRead:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case Access::kReadAll:  // it locks nothing, so nobody waits for it
      return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0;"
             "SET LOCAL idle_in_transaction_session_timeout = 0";
    case Access::kWrite:
      return "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(1399865963)";
  }
  die("unknown access");
}

class PostgresDatabase final : public Database {
 public:
  Status open(const std::string& uri) {
    char* raw_why = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(
        PQconninfoParse(uri.c_str(), &raw_why));
    const std::unique_ptr<char, decltype(&PQfreemem)> why(raw_why, PQfreemem);
    if (!options) return Error(ErrorCode::kUsage, "store: " + first_line(why.get()));
    TRY(check_options(options.get()));
    const char* const keywords[] = {"dbname", "connect_timeout", "fallback_application_name",
                                    nullptr};
    const char* const values[] = {uri.c_str(), "5", "sealpack-broker", nullptr};
    connection_.reset(PQconnectdbParams(keywords, values, 1));
    if (PQstatus(connection_.get()) != CONNECTION_OK) return lost();
    return start_session();
  }

  Status begin(Access access) override {
    TRY(connect());
    // One writer at a time over all replicas, so that the log has one order. The lock ends with the
    // transaction, or with the session of a replica that is gone.
    const Status begun = command(begin_command(access));
    if (!begun.ok()) {
      rollback();
      return begun;
    }
    in_transaction_ = true;
    return done();
  }
  Status commit() override {
    in_transaction_ = false;
    const ResultPtr result(PQexec(connection_.get(), "COMMIT"));
    if (!succeeded(result.get())) return error(result.get());
    // A failed transaction answers COMMIT with ROLLBACK, and with success.
    if (std::string_view(PQcmdStatus(result.get())) != "COMMIT") {
      return Error(ErrorCode::kTryAgain, "store: the transaction was rolled back");
    }
    return done();
  }
  void rollback() override {
    in_transaction_ = false;
    static_cast<void>(command("ROLLBACK").ok());
  }

  Status for_each(const char* sql, const Row& parameters,
                  const std::function<Status(const Row&)>& row) override {
    TRY(connect());
    const Parameters bound(parameters);
    const std::string name = TRY(prepared(sql, bound));
    if (PQsendQueryPrepared(connection_.get(), name.c_str(), bound.count(), bound.values(),
                            bound.sizes(), bound.formats(), kBinary) == 0) {
      return lost();
    }
    PQsetSingleRowMode(connection_.get());
    // All results are taken, whatever happens: the connection is not free before.
    Status status = done();
    while (const ResultPtr result{PQgetResult(connection_.get())}) {
      if (!status.ok()) continue;
      if (!succeeded(result.get())) {
        status = error(result.get());
        continue;
      }
      for (int i = 0; i < PQntuples(result.get()) && status.ok(); ++i) {
        const Result<Row> values = read_row(result.get(), i);
        status = values.ok() ? row(*values) : Status(values.error());
      }
    }
    return status;
  }

  Result<std::vector<std::uint64_t>> run_each(const char* sql,
                                              std::span<const Row> parameters) override {
    std::vector<std::uint64_t> changed;
    if (parameters.empty()) return changed;
    TRY(connect());
    const std::string name = TRY(prepared(sql, Parameters(parameters.front())));
    if (PQenterPipelineMode(connection_.get()) == 0) return lost();
    Status status = send_all(name, parameters);
    if (status.ok()) status = receive_all(parameters.size(), changed);
    if (PQexitPipelineMode(connection_.get()) == 0 && status.ok()) status = lost();
    TRY(std::move(status));
    return changed;
  }

 private:
  Error lost() const {
    return {ErrorCode::kTryAgain, "store: " + first_line(PQerrorMessage(connection_.get()))};
  }
  Error error(const PGresult* result) const {
    const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const std::string_view state(field == nullptr ? "08000" : field);
    // Connection, serialisation, resources, shutdown, locks: they pass.
    for (const std::string_view passing : {"08", "40", "53", "55", "57"}) {
      if (state.starts_with(passing)) {
        return {ErrorCode::kTryAgain, "store: " + first_line(PQerrorMessage(connection_.get()))};
      }
    }
    return {ErrorCode::kIo, "store: " + first_line(PQresultErrorMessage(result))};
  }

  Status command(const char* sql) {
    const ResultPtr result(PQexec(connection_.get(), sql));
    return succeeded(result.get()) ? done() : Status(error(result.get()));
  }

  Status start_session() {
    statements_.clear();
    TRY(command(kSession));
    const ResultPtr fsync(PQexec(connection_.get(), "SHOW fsync"));
    if (!succeeded(fsync.get()) || PQntuples(fsync.get()) != 1) return error(fsync.get());
    if (std::string_view(PQgetvalue(fsync.get(), 0, 0)) != "on") {
      return Error(ErrorCode::kRefused,
                   "the PostgreSQL server does not write commits to the disk (fsync = off)");
    }
    return done();
  }

  Status connect() {
    if (PQstatus(connection_.get()) == CONNECTION_OK) return done();
    // Inside a transaction a new connection would hide that the old one is gone.
    if (in_transaction_) return lost();
    PQreset(connection_.get());
    if (PQstatus(connection_.get()) != CONNECTION_OK) return lost();
    return start_session();
  }

  Result<std::string> prepared(const char* sql, const Parameters& parameters) {
    const auto found = statements_.find(sql);
    if (found != statements_.end()) return found->second;
    std::string name = "s" + std::to_string(statements_.size());
    const ResultPtr result(
        PQprepare(connection_.get(), name.c_str(), sql, parameters.count(), parameters.types()));
    if (!succeeded(result.get())) return error(result.get());
    statements_[sql] = name;
    return name;
  }

  Status send_all(const std::string& name, std::span<const Row> parameters) {
    for (const Row& row : parameters) {
      const Parameters bound(row);
      if (PQsendQueryPrepared(connection_.get(), name.c_str(), bound.count(), bound.values(),
                              bound.sizes(), bound.formats(), kBinary) == 0) {
        return lost();
      }
    }
    return PQpipelineSync(connection_.get()) == 1 ? done() : Status(lost());
  }

  Status receive_all(std::size_t count, std::vector<std::uint64_t>& changed) {
    Status status = done();
    for (std::size_t i = 0; i < count; ++i) {
      while (const ResultPtr result{PQgetResult(connection_.get())}) {
        if (status.ok() && !succeeded(result.get())) status = error(result.get());
        const std::string_view rows(PQcmdTuples(result.get()));
        std::uint64_t number = 0;
        for (const char digit : rows) number = number * 10 + static_cast<unsigned>(digit - '0');
        changed.push_back(number);
      }
      if (PQstatus(connection_.get()) != CONNECTION_OK) return lost();
    }
    const ResultPtr sync(PQgetResult(connection_.get()));
    if (status.ok() && PQresultStatus(sync.get()) != PGRES_PIPELINE_SYNC) return lost();
    if (status.ok() && changed.size() != count) {
      return Error(ErrorCode::kIo, "store: the server answered something else");
    }
    return status;
  }

  static Result<Row> read_row(const PGresult* result, int at) {
    Row row;
    for (int i = 0; i < PQnfields(result); ++i) {
      const auto* raw = reinterpret_cast<const std::uint8_t*>(PQgetvalue(result, at, i));
      const Bytes bytes(raw, static_cast<std::size_t>(PQgetlength(result, at, i)));
      const Oid type = PQftype(result, i);
      if (PQgetisnull(result, at, i) == 0 && type == kBytea) {
        row.emplace_back(to_vector(bytes));
      } else if (PQgetisnull(result, at, i) == 0 && type == kText) {
        row.emplace_back(std::string(as_text(bytes)));
      } else if (PQgetisnull(result, at, i) == 0 && type == kInt8 && bytes.size() == 8) {
        std::uint64_t bits = 0;
        for (const std::uint8_t byte : bytes) bits = (bits << 8U) | byte;
        row.emplace_back(static_cast<std::int64_t>(bits));
      } else {
        return Error(ErrorCode::kMalformed, "the store holds a value that belongs to no sealpack");
      }
    }
    return row;
  }

  std::unique_ptr<PGconn, CloseConnection> connection_;
  bool in_transaction_ = false;
  std::map<const char*, std::string> statements_;  // by address: the name it is prepared under
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(const std::string& uri) {
  auto database = std::make_unique<PostgresDatabase>();
  TRY(database->open(uri));
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace sealpack::broker::internal
