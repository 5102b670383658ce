// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/store/database.h"

// The tables of a store, and how rows become records.
namespace sealpack::broker::internal {

// Grows with every change of a table; an older sealpack refuses a newer store.
inline constexpr std::uint64_t kSchema = 1;

struct Table {
  const char* name;
  const char* definition;  // CREATE TABLE
  const char* select;      // all columns, in the order of the primary key
  const char* insert;      // the same columns
  bool in_backups;         // nonces are not: a restored store is of another epoch
};
std::span<const Table> tables();

Status create_tables(Database& database);
// kUnsupported for a newer one; kMalformed for tables that are not ours.
Status check_schema(Database& database);

}  // namespace sealpack::broker::internal
