// SPDX-License-Identifier: Apache-2.0
#include "formats/files/scratch_file.h"

#include <fcntl.h>

#include "formats/files/destination.h"
#include "formats/files/system_calls.h"

namespace sealpack {
namespace {

int open_scratch(const std::string& path, int flags) {
  constexpr mode_t kOwnerOnly = 0600;
  return uninterrupted([&] {
    return system_calls().openat(AT_FDCWD, path.c_str(), flags | O_EXCL | O_RDWR | O_CLOEXEC,
                                 kOwnerOnly);
  });
}

}  // namespace

Result<ScratchFile> ScratchFile::create(const std::filesystem::path& folder) {
  const std::string shown = "a temporary file in " + printable(folder.string());
  FileDescriptor file(open_scratch(folder, O_TMPFILE));
  if (file.get() < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    const std::string path = folder / TRY(temporary_name("scratch"));
    file = FileDescriptor(open_scratch(path, O_CREAT | O_NOFOLLOW));
    if (file.get() >= 0 && system_calls().unlinkat(AT_FDCWD, path.c_str(), 0) != 0) {
      return io_error("cannot hide " + shown, errno);
    }
  }
  if (file.get() < 0) return io_error("cannot create " + shown, errno);
  return ScratchFile(std::move(file), shown);
}

Status ScratchFile::append(Bytes bytes) {
  while (!bytes.empty()) {
    const iovec vector = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    const ssize_t put = uninterrupted(
        [&] { return system_calls().pwritev(file_.get(), &vector, 1, static_cast<off_t>(size_)); });
    if (put <= 0) {
      return io_error("cannot write " + std::to_string(bytes.size()) + " bytes at byte " +
                          std::to_string(size_) + " of " + shown_,
                      put < 0 ? errno : EIO);
    }
    size_ += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return done();
}

Result<std::unique_ptr<FileSource>> ScratchFile::finish() && {
  return FileSource::adopt(std::move(file_), shown_);
}

}  // namespace sealpack
