// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/files/destination.h"

namespace sealpack {

enum class Overwrite { kRefuse, kReplace };
enum class FolderSync { kAtCommit, kByCaller };

// A file that appears under its name complete or not at all. Until commit() it has no name
// (O_TMPFILE), so that even SIGKILL leaves nothing; where the file system cannot do that it is
// called ".NAME.partial-XXXXXX". Destruction without commit() discards it. Replacing an existing
// file keeps neither its permissions nor its other hard links; for the moment of the exchange the
// new file has the hidden name. All failures are kIo and name the file.
//
// A process that may exceed `ulimit -f` must ignore SIGXFSZ to see that as an error.
class OutputFile {
 public:
  // `mode` is subject to the umask: 0600 for secrets, 0644 otherwise. Fails at once when kRefuse
  // and the name is taken, and always when it is taken by anything but a file or symbolic link (a
  // link is replaced, not followed).
  static Result<OutputFile> create(const std::filesystem::path& path, Overwrite overwrite,
                                   mode_t mode);
  // The same in an open folder. With kByCaller, the caller makes the name itself durable.
  static Result<OutputFile> create_in(Destination destination, Overwrite overwrite, mode_t mode,
                                      FolderSync folder_sync);

  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Write all of it, beyond the end too (the gap reads as zeros). Any threads at once.
  Status write_at(std::uint64_t offset, Bytes bytes) const;
  Status write_scattered(std::uint64_t offset, std::span<const Bytes> pieces) const;

  // Copies bytes of `source` to the same offset here: by the file system where it can (shared
  // extents, no way through memory), else in pieces of a megabyte.
  Status copy_from(const FileSource& source, std::uint64_t offset, std::uint64_t size) const;

  // Reserves space for `size` bytes, so that a full disk fails now. Does not change what is read;
  // does nothing where the file system cannot reserve.
  Status allocate(std::uint64_t size) const;

  // Asks for these bytes to be on their way to disk. Never fails: commit() waits for all of them.
  void start_writeback(std::uint64_t offset, std::uint64_t size) const;

  // Makes the content durable, then gives it its name, then makes the name durable. After a
  // failure of the last step the file is there, complete, but might be gone after a power cut.
  // kRefuse: fails when the name has been taken meanwhile. Once only; nothing can be written after.
  Status commit();

 private:
  OutputFile(Destination destination, Overwrite overwrite, FolderSync folder_sync)
      : destination_(std::move(destination)), overwrite_(overwrite), folder_sync_(folder_sync) {}
  Status open(mode_t mode);
  Status open_hidden(mode_t mode);
  Status name_it();
  Status link_hidden();
  Status rename_hidden();

  Destination destination_;
  Overwrite overwrite_;
  FolderSync folder_sync_;
  FileDescriptor file_;
  std::string hidden_name_;  // empty while the file has no name
};

}  // namespace sealpack
