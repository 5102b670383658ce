// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/keystore/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "formats/files/file_source.h"

namespace sealpack::keystore {

namespace {

Status check_private(const struct stat& status, const std::filesystem::path& path) {
  const std::string name = printable(path.string());
  if (!S_ISREG(status.st_mode)) return Error(ErrorCode::kIo, name + " is not a regular file");
  if (status.st_uid != ::geteuid()) {
    return Error(ErrorCode::kRefused, name + " belongs to another user, who can read and change it")
        .with_hint("make a copy of your own with mode 0600");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(ErrorCode::kRefused, name + " is open to other users of this machine")
        .with_hint("let its owner alone read it: chmod 600 " + printable(path.string()));
  }
  return done();
}

Result<crypto::SecretBytes> read_all(int fd, std::size_t size, const std::string& name) {
  crypto::SecretBytes content(size);
  std::size_t filled = 0;
  while (filled < size) {
    const MutableBytes rest = content.reveal_for_writing().subspan(filled);
    const ssize_t got = ::read(fd, rest.data(), rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read " + name, errno);
    if (got == 0) return Error(ErrorCode::kIo, name + " shrank while it was read");
    filled += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace

Result<crypto::SecretBytes> load_private_file(const std::filesystem::path& path,
                                              std::size_t limit) {
  const std::string name = printable(path.string());
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) return io_error("cannot open " + name, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return io_error("cannot open " + name, errno);
  TRY(check_private(status, path));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) {
    return Error(ErrorCode::kLimit,
                 name + " has " + format_size(size) + ", more than " + format_size(limit));
  }
  return read_all(fd.get(), static_cast<std::size_t>(size), name);
}

Status store_file(const std::filesystem::path& path, Bytes content, mode_t mode,
                  Overwrite overwrite) {
  OutputFile file = TRY(OutputFile::create(path, overwrite, mode));
  TRY(file.write_at(0, content));
  return file.commit();
}

}  // namespace sealpack::keystore
