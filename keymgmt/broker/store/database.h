// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <variant>

#include "formats/base/bytes.h"

// Internal to keymgmt/broker/store: as much SQL as the store needs, over SQLite or PostgreSQL.
// Statements are in the dialect that both speak, with parameters $1, $2 … in ascending order of
// their first use.
namespace sealpack::broker::internal {

using Value = std::variant<std::int64_t, ByteVector, std::string>;
using Row = std::vector<Value>;

// kReadAll: reads as much as there is, however long it takes.
enum class Access { kRead, kReadAll, kWrite };

// One connection; for one thread at a time. Errors: kTryAgain when the database is busy or does not
// answer, kIo otherwise. After an error inside a transaction there is only rollback.
class Database {
 public:
  virtual ~Database() = default;

  // kRead and kReadAll see one moment. kWrite waits for other writers: SQLite until they are done,
  // PostgreSQL where the transaction locks the row of `head`.
  virtual Status begin(Access access) = 0;
  virtual Status commit() = 0;
  virtual void rollback() = 0;

  // `sql` lives as long as the connection: it is prepared once.
  virtual Status for_each(const char* sql, const Row& parameters,
                          const std::function<Status(const Row&)>& row) = 0;
  // The same statement for each; the number of rows that each changed.
  virtual Result<std::vector<std::uint64_t>> run_each(const char* sql,
                                                      std::span<const Row> parameters) = 0;

  Result<std::vector<Row>> query(const char* sql, const Row& parameters = {});
  Result<std::uint64_t> run(const char* sql, const Row& parameters = {});
  // The only row. kMalformed for none or several.
  Result<Row> query_one(const char* sql, const Row& parameters = {});
};

// Rolls back unless it was committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database, Access access);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

// What a column holds. Numbers are below 2^63 (kLimit).
Result<Value> number_value(std::uint64_t number, const char* what);
inline Value bytes_value(Bytes bytes) {
  return to_vector(bytes);
}

// Reads a row column by column. kMalformed for a value of another type or size: the store is
// damaged, or somebody else wrote to it.
class Columns {
 public:
  explicit Columns(const Row& row) : row_(&row) {}  // which must outlive it
  explicit Columns(Row&& row) : own_(std::move(row)), row_(&own_) {}
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;
  Result<std::uint64_t> number();
  Result<ByteVector> bytes();
  Result<std::string> text();
  Result<Digest> digest();
  template <std::size_t N>
  Result<std::array<std::uint8_t, N>> array() {
    const ByteVector value = TRY(bytes());
    if (value.size() != N) return unexpected();
    std::array<std::uint8_t, N> out;
    std::copy(value.begin(), value.end(), out.begin());
    return out;
  }

 private:
  Result<const Value*> next();
  static Error unexpected();
  const Row own_;
  const Row* row_;
  std::size_t at_ = 0;
};

}  // namespace sealpack::broker::internal
