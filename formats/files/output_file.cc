// SPDX-License-Identifier: Apache-2.0
#include "formats/files/output_file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

constexpr std::uint64_t kLargestOffset = static_cast<std::uint64_t>(LLONG_MAX);

std::string proc_path(const FileDescriptor& file) {
  return "/proc/self/fd/" + std::to_string(file.get());
}

Status check_target(const Destination& destination, Overwrite overwrite) {
  const auto type = TRY(type_of(destination));
  if (!type) return done();
  if (*type == S_IFDIR) return Error(ErrorCode::kIo, destination.shown + " is a folder");
  if (overwrite == Overwrite::kRefuse) {
    return already_exists(destination).with_hint("use --force to replace it");
  }
  if (*type != S_IFREG && *type != S_IFLNK) {
    return Error(ErrorCode::kIo, destination.shown + " is not a regular file");
  }
  return done();
}

// True for what the kernel or file system says when it knows no unnamed files.
bool means_no_unnamed_files(int error_number) {
  return error_number == EOPNOTSUPP || error_number == EISDIR || error_number == EINVAL ||
         error_number == ENOSYS;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::filesystem::path& path, Overwrite overwrite,
                                      mode_t mode) {
  if (path.string().ends_with('/')) {
    return Error(ErrorCode::kUsage, printable(path.string()) + " names a folder, not a file");
  }
  return create_in(TRY(open_destination(path)), overwrite, mode, FolderSync::kAtCommit);
}

Result<OutputFile> OutputFile::create_in(Destination destination, Overwrite overwrite, mode_t mode,
                                         FolderSync folder_sync) {
  TRY(check_target(destination, overwrite));
  OutputFile file(std::move(destination), overwrite, folder_sync);
  TRY(file.open(mode));
  return file;
}

OutputFile::~OutputFile() {
  if (destination_.folder.get() < 0 || hidden_name_.empty()) return;
  (void)system_calls().unlinkat(destination_.folder.get(), hidden_name_.c_str(), 0);
}

Status OutputFile::open(mode_t mode) {
  file_ = FileDescriptor(uninterrupted([&] {
    return system_calls().openat(destination_.folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                                 mode);
  }));
  if (file_.get() < 0) {
    if (means_no_unnamed_files(errno)) return open_hidden(mode);
    return io_error("cannot create " + destination_.shown, errno);
  }
  // Naming the file later goes through /proc; better to learn now that it is not mounted.
  struct stat status {};
  if (system_calls().fstatat(AT_FDCWD, proc_path(file_).c_str(), &status, 0) == 0) return done();
  return open_hidden(mode);
}

Status OutputFile::open_hidden(mode_t mode) {
  for (int attempt = 0; attempt < kTemporaryNameAttempts; ++attempt) {
    const std::string name = TRY(temporary_name(destination_.name));
    file_ = FileDescriptor(uninterrupted([&] {
      return system_calls().openat(destination_.folder.get(), name.c_str(),
                                   O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, mode);
    }));
    if (file_.get() >= 0) {
      hidden_name_ = name;
      return done();
    }
    if (errno != EEXIST) break;
  }
  return io_error("cannot create " + destination_.shown, errno);
}

Status OutputFile::write_at(std::uint64_t offset, Bytes bytes) const {
  const Bytes pieces[] = {bytes};
  return write_scattered(offset, pieces);
}

Status OutputFile::write_scattered(std::uint64_t offset, std::span<const Bytes> pieces) const {
  constexpr std::size_t kMaxPieces = 64;
  static_assert(kMaxPieces <= IOV_MAX);
  std::size_t first = 0;    // piece that is being written
  std::size_t written = 0;  // bytes of it that are out
  for (;;) {
    while (first < pieces.size() && written == pieces[first].size()) ++first, written = 0;
    if (first == pieces.size()) return done();
    iovec vectors[kMaxPieces];
    const std::size_t count = std::min(kMaxPieces, pieces.size() - first);
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes rest = pieces[first + i].subspan(i == 0 ? written : 0);
      vectors[i] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
      size += rest.size();
    }
    const auto failed = [&](int error_number) {
      return io_error("cannot write " + std::to_string(size) + " bytes at byte " +
                          std::to_string(offset) + " of " + destination_.shown,
                      error_number);
    };
    if (offset > kLargestOffset) return failed(EFBIG);
    const ssize_t put = uninterrupted([&] {
      return system_calls().pwritev(file_.get(), vectors, static_cast<int>(count),
                                    static_cast<off_t>(offset));
    });
    if (put < 0) return failed(errno);
    if (put == 0) return failed(EIO);  // no progress; trying again might never end
    offset += static_cast<std::uint64_t>(put);
    for (auto left = static_cast<std::size_t>(put); left > 0;) {
      const std::size_t step = std::min(left, pieces[first].size() - written);
      left -= step, written += step;
      if (written == pieces[first].size()) ++first, written = 0;
    }
  }
}

Status OutputFile::copy_from(const FileSource& source, std::uint64_t offset,
                             std::uint64_t size) const {
  while (size != 0) {
    constexpr std::uint64_t kMaxCopy = std::uint64_t{1} << 30U;
    auto from = static_cast<off_t>(offset);
    auto to = from;
    const ssize_t copied = uninterrupted([&] {
      return system_calls().copy_file_range(source.descriptor(), &from, file_.get(), &to,
                                            static_cast<std::size_t>(std::min(size, kMaxCopy)));
    });
    if (copied <= 0) break;  // not between these two: the way through memory tells what is wrong
    offset += static_cast<std::uint64_t>(copied);
    size -= static_cast<std::uint64_t>(copied);
  }
  ByteVector buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1U << 20U)));
  while (size != 0) {
    const MutableBytes piece = MutableBytes(buffer).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size())));
    TRY(source.read_at(offset, piece));
    TRY(write_at(offset, piece));
    offset += piece.size();
    size -= piece.size();
  }
  return done();
}

Status OutputFile::allocate(std::uint64_t size) const {
  if (size == 0) return done();
  const std::string what =
      "cannot reserve " + std::to_string(size) + " bytes for " + destination_.shown;
  if (size > kLargestOffset) return io_error(what, EFBIG);
  const int result = uninterrupted([&] {
    return system_calls().fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size));
  });
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return done();
  return io_error(what, errno);
}

void OutputFile::start_writeback(std::uint64_t offset, std::uint64_t size) const {
  if (size == 0 || offset > kLargestOffset || size > kLargestOffset - offset) return;
  (void)system_calls().sync_file_range(file_.get(), static_cast<off_t>(offset),
                                       static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
}

Status OutputFile::commit() {
  if (file_.get() < 0) {
    return Error(ErrorCode::kInternal, destination_.shown + " is committed twice");
  }
  if (uninterrupted([&] { return system_calls().fsync(file_.get()); }) != 0) {
    return io_error("cannot finish writing " + destination_.shown, errno);
  }
  TRY(name_it());
  hidden_name_.clear();
  file_.reset();
  if (folder_sync_ == FolderSync::kByCaller) return done();
  if (uninterrupted([&] { return system_calls().fsync(destination_.folder.get()); }) != 0) {
    return io_error("cannot make the name of " + destination_.shown + " durable", errno);
  }
  return done();
}

Status OutputFile::name_it() {
  if (!hidden_name_.empty()) return rename_hidden();
  const int folder = destination_.folder.get();
  if (system_calls().linkat(AT_FDCWD, proc_path(file_).c_str(), folder, destination_.name.c_str(),
                            AT_SYMLINK_FOLLOW) == 0) {
    return done();
  }
  if (errno != EEXIST) return io_error("cannot create " + destination_.shown, errno);
  if (overwrite_ == Overwrite::kRefuse) return already_exists(destination_);
  TRY(link_hidden());
  return rename_hidden();
}

// A link never replaces a name, a rename does: give the file a name that can be renamed.
Status OutputFile::link_hidden() {
  for (int attempt = 0; attempt < kTemporaryNameAttempts; ++attempt) {
    const std::string name = TRY(temporary_name(destination_.name));
    if (system_calls().linkat(AT_FDCWD, proc_path(file_).c_str(), destination_.folder.get(),
                              name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      hidden_name_ = name;
      return done();
    }
    if (errno != EEXIST) break;
  }
  return io_error("cannot create " + destination_.shown, errno);
}

Status OutputFile::rename_hidden() {
  const int folder = destination_.folder.get();
  const char* hidden = hidden_name_.c_str();
  const char* name = destination_.name.c_str();
  const bool refuse = overwrite_ == Overwrite::kRefuse;
  int result = system_calls().renameat2(folder, hidden, folder, name,
                                        refuse ? static_cast<unsigned>(RENAME_NOREPLACE) : 0U);
  if (result != 0 && refuse && (errno == EINVAL || errno == ENOSYS)) {
    // No such flag here (NFS): a link does not replace either.
    result = system_calls().linkat(folder, hidden, folder, name, 0);
    if (result == 0) (void)system_calls().unlinkat(folder, hidden, 0);
  }
  if (result == 0) return done();
  if (refuse && errno == EEXIST) return already_exists(destination_);
  return io_error("cannot create " + destination_.shown, errno);
}

}  // namespace sealpack
