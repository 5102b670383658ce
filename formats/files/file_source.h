// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "formats/base/block_source.h"

namespace sealpack {

// A file descriptor, closed on destruction. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// A regular file as BlockSource (pread/preadv). Symbolic links are followed; anything but a regular
// file is refused (kIo). The size is taken once, at opening.
class FileSource : public BlockSource {
 public:
  static Result<std::unique_ptr<FileSource>> open(const std::filesystem::path& path);
  // Takes over `file`; `name` is for messages.
  static Result<std::unique_ptr<FileSource>> adopt(FileDescriptor file, std::string name);

  std::uint64_t size() const override { return size_; }
  Status read_at(std::uint64_t offset, MutableBytes out) const override;
  Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const override;
  int descriptor() const { return file_.get(); }

  // kIo ("… changed WHEN") unless size and time of change are still those of opening. Notices what
  // ordinary programs do; one that sets the time back goes unnoticed.
  Status check_unchanged(const std::string& when) const;

 private:
  FileSource(FileDescriptor file, std::string name, const struct stat& status)
      : file_(std::move(file)),
        name_(std::move(name)),
        size_(static_cast<std::uint64_t>(status.st_size)),
        modified_(status.st_mtim) {}
  FileDescriptor file_;
  std::string name_;
  std::uint64_t size_;
  timespec modified_;
};

// A whole small file. kLimit when it exceeds `limit` bytes.
Result<ByteVector> load_file(const std::filesystem::path& path, std::uint64_t limit);

// "cannot open 'x': no such file or directory", kIo, from errno; with a hint where there is one to
// give (disk full, quota, file size limit).
Error io_error(const std::string& what, int error_number);

}  // namespace sealpack
