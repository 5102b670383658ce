// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/store/database.h"

namespace sealpack::broker::internal {

Result<std::vector<Row>> Database::query(const char* sql, const Row& parameters) {
  std::vector<Row> rows;
  TRY(for_each(sql, parameters, [&](const Row& row) {
    rows.push_back(row);
    return done();
  }));
  return rows;
}

Result<std::uint64_t> Database::run(const char* sql, const Row& parameters) {
  return TRY(run_each(sql, {&parameters, 1})).front();
}

Result<Row> Database::query_one(const char* sql, const Row& parameters) {
  std::vector<Row> rows = TRY(query(sql, parameters));
  if (rows.size() != 1) {
    return Error(ErrorCode::kMalformed,
                 "the store has " + std::to_string(rows.size()) + " rows where it has one");
  }
  return std::move(rows.front());
}

Result<Transaction> Transaction::begin(Database& database, Access access) {
  TRY(database.begin(access));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->rollback();
}

Status Transaction::commit() {
  return std::exchange(database_, nullptr)->commit();
}

Result<Value> number_value(std::uint64_t number, const char* what) {
  if (number > std::uint64_t{INT64_MAX}) {
    return Error(ErrorCode::kLimit,
                 std::string(what) + " " + std::to_string(number) + " is not below 2^63");
  }
  return Value(static_cast<std::int64_t>(number));
}

Error Columns::unexpected() {
  return {ErrorCode::kMalformed, "the store holds a value that belongs to no sealpack"};
}

Result<const Value*> Columns::next() {
  if (at_ == row_->size()) return unexpected();
  return &(*row_)[at_++];
}

Result<std::uint64_t> Columns::number() {
  const auto* number = std::get_if<std::int64_t>(TRY(next()));
  if (number == nullptr || *number < 0) return unexpected();
  return static_cast<std::uint64_t>(*number);
}

Result<ByteVector> Columns::bytes() {
  const auto* bytes = std::get_if<ByteVector>(TRY(next()));
  if (bytes == nullptr) return unexpected();
  return *bytes;
}

Result<std::string> Columns::text() {
  const auto* text = std::get_if<std::string>(TRY(next()));
  if (text == nullptr) return unexpected();
  return *text;
}

Result<Digest> Columns::digest() {
  return Digest{TRY(array<Digest::kSize>())};
}

}  // namespace sealpack::broker::internal
