// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "formats/files/file_source.h"

namespace sealpack {

// Where an output is to appear: an open folder and a name in it. All work happens relative to the
// open folder, so that renaming a parent meanwhile cannot send it elsewhere.
struct Destination {
  FileDescriptor folder;
  std::string name;
  std::string shown;  // the whole path for messages
};

// kUsage when `path` ends in no name ("", "/", ".."), kIo when the folder cannot be opened.
Result<Destination> open_destination(const std::filesystem::path& path);

// Type bits (S_IFMT) of what has that name now, nullopt for nothing. Does not follow a link.
Result<std::optional<mode_t>> type_of(const Destination& destination);

// ".NAME.partial-XXXXXX": hidden, beside its destination, with 36 random bits.
Result<std::string> temporary_name(const std::string& name);
inline constexpr int kTemporaryNameAttempts = 100;

// "'x' already exists", kIo.
Error already_exists(const Destination& destination);

}  // namespace sealpack
