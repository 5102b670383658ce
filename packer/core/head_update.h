// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>

#include "formats/bundle/head.h"
#include "formats/files/file_source.h"

namespace sealpack::packer {

// A bundle file opened for changing its head in place, locked against other changers (kTryAgain).
// Finishes an update that a crash interrupted before anything else. Refuses a file with several
// names (kIo).
class HeadUpdate {
 public:
  static Result<HeadUpdate> open(const std::filesystem::path& path);

  const FileSource& file() const { return *file_; }
  const bundle::LoadedHead& head() const { return head_; }

  // Replaces the head (FORMAT.md §14): at every moment the file holds the old or the new one, and
  // afterwards nothing of the old one. kLimit when the new head does not fit; kIo.
  Status replace(const bundle::Head& head);

 private:
  HeadUpdate() = default;
  Status write(std::uint64_t offset, Bytes bytes) const;
  Status check_written(std::uint64_t offset, Bytes bytes) const;
  Status set_state(bundle::HeadState state);
  Status wipe_other_copy();

  std::unique_ptr<FileSource> file_;
  std::string name_;
  bundle::LoadedHead head_;
};

}  // namespace sealpack::packer
