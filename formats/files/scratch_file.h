// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/file_source.h"

namespace sealpack {

// A temporary file that this process alone can read (0600): without a name (O_TMPFILE), or where
// the file system cannot do that, with its name taken away at once. Gone when it is closed.
class ScratchFile {
 public:
  static Result<ScratchFile> create(const std::filesystem::path& folder);

  std::uint64_t size() const { return size_; }
  Status append(Bytes bytes);

  // Ends writing: what has been appended, for reading.
  Result<std::unique_ptr<FileSource>> finish() &&;

 private:
  ScratchFile(FileDescriptor file, std::string shown)
      : file_(std::move(file)), shown_(std::move(shown)) {}
  FileDescriptor file_;
  std::string shown_;
  std::uint64_t size_ = 0;
};

}  // namespace sealpack
