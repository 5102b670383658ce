// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/broker/store/database.h"

namespace sealpack::broker::internal {

// What a file of ours says it is, in SQLite's header.
enum class FileKind : std::int32_t {
  kStore = 0x5370426b,   // "SpBk"
  kBackup = 0x53704262,  // "SpBb"
};

// Makes an empty database in a new file of mode 0600. kRefused where there is one; kIo.
Status create_sqlite(const std::filesystem::path& path);
// Opens one for reading and writing: write-ahead log, every commit on the disk before it returns.
// kRefused when others may read the file; kIo.
Result<std::unique_ptr<Database>> open_sqlite(const std::filesystem::path& path);

// Nothing for a database that is still empty. kMalformed for one of another program.
Result<std::optional<FileKind>> sqlite_file_kind(Database& database);
Status set_sqlite_file_kind(Database& database, FileKind kind);

}  // namespace sealpack::broker::internal
