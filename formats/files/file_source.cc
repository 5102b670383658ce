// SPDX-License-Identifier: Apache-2.0
#include "formats/files/file_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <system_error>

#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

const char* io_hint(int error_number) {
  switch (error_number) {
    case ENOSPC:
      return "free some space on that file system or write elsewhere";
    case EDQUOT:
      return "the disk quota is used up: free some space or write elsewhere";
    case EFBIG:
      return "the file system or the limit `ulimit -f` allows no file of this size";
    case EROFS:
      return "write to a file system that is not read-only";
    case EMFILE:
      return "raise the limit of open files (`ulimit -n`)";
    default:
      return "";
  }
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void FileDescriptor::reset() {
  if (fd_ >= 0) (void)::close(fd_);
  fd_ = -1;
}

Error io_error(const std::string& what, int error_number) {
  std::string reason = std::generic_category().message(error_number);
  if (!reason.empty()) reason[0] = static_cast<char>(std::tolower(reason[0]));
  return Error(ErrorCode::kIo, what + ": " + reason).with_hint(io_hint(error_number));
}

Result<std::unique_ptr<FileSource>> FileSource::open(const std::filesystem::path& path) {
  const std::string name = printable(path.string());
  // O_NONBLOCK: opening a FIFO must not hang; it is refused below.
  FileDescriptor file(uninterrupted([&] {
    return system_calls().openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  }));
  if (file.get() < 0) return io_error("cannot open " + name, errno);
  return adopt(std::move(file), name);
}

Result<std::unique_ptr<FileSource>> FileSource::adopt(FileDescriptor file, std::string name) {
  struct stat status {};
  if (system_calls().fstat(file.get(), &status) != 0)
    return io_error("cannot examine " + name, errno);
  if (S_ISDIR(status.st_mode)) return Error(ErrorCode::kIo, name + " is a folder, not a file");
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorCode::kIo, name + " is not a regular file")
        .with_hint("pipes and devices are not read: write it to a file first");
  }
  return std::unique_ptr<FileSource>(new FileSource(std::move(file), std::move(name), status));
}

Status FileSource::check_unchanged(const std::string& when) const {
  struct stat status {};
  if (system_calls().fstat(file_.get(), &status) != 0) {
    return io_error("cannot examine " + name_, errno);
  }
  if (static_cast<std::uint64_t>(status.st_size) == size_ &&
      status.st_mtim.tv_sec == modified_.tv_sec && status.st_mtim.tv_nsec == modified_.tv_nsec) {
    return done();
  }
  return Error(ErrorCode::kIo, name_ + " changed " + when)
      .with_hint("try again when nothing writes to it");
}

Status FileSource::read_at(std::uint64_t offset, MutableBytes out) const {
  const MutableBytes pieces[] = {out};
  return read_scattered(offset, pieces);
}

Status FileSource::read_scattered(std::uint64_t offset,
                                  std::span<const MutableBytes> pieces) const {
  constexpr std::size_t kMaxPieces = 64;
  static_assert(kMaxPieces <= IOV_MAX);
  std::size_t first = 0;   // piece that is being filled
  std::size_t filled = 0;  // bytes of it that are there
  while (first < pieces.size()) {
    iovec vectors[kMaxPieces];
    const std::size_t count = std::min(kMaxPieces, pieces.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const MutableBytes rest = pieces[first + i].subspan(i == 0 ? filled : 0);
      vectors[i] = {rest.data(), rest.size()};
    }
    if (offset > static_cast<std::uint64_t>(LLONG_MAX)) {
      return Error(ErrorCode::kIo, "offset beyond the end of " + name_);
    }
    const ssize_t got = system_calls().preadv(file_.get(), vectors, static_cast<int>(count),
                                              static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read " + name_, errno);
    std::size_t left = static_cast<std::size_t>(got);
    offset += left;
    const std::size_t before = first;
    while (first < pieces.size() && left >= pieces[first].size() - filled) {
      left -= pieces[first].size() - filled;
      filled = 0;
      if (++first == before + count) break;
    }
    if (first < pieces.size()) filled += left;
    if (got == 0 && first == before && first < pieces.size()) {
      return Error(ErrorCode::kIo, name_ + " ends at byte " + std::to_string(offset) +
                                       ", it was longer when it was opened");
    }
  }
  return done();
}

Result<ByteVector> load_file(const std::filesystem::path& path, std::uint64_t limit) {
  const auto file = TRY(FileSource::open(path));
  if (file->size() > limit) {
    return Error(ErrorCode::kLimit, printable(path.string()) + " has " +
                                        std::to_string(file->size()) + " bytes, more than " +
                                        std::to_string(limit));
  }
  ByteVector bytes(static_cast<std::size_t>(file->size()));
  TRY(file->read_at(0, bytes));
  return bytes;
}

}  // namespace sealpack
