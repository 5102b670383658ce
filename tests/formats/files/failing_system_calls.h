// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "formats/files/system_calls.h"

namespace sealpack::testing {

// The real calls, but the nth of them (from 1) fails with `error_number`. Optionally unnamed files
// are not to be had, RENAME_NOREPLACE is not known, or every write is cut to a few bytes.
class FailingSystemCalls : public SystemCalls {
 public:
  int fail_at = 0;
  int error_number = EIO;
  bool unnamed_files = true;
  bool rename_flags = true;
  std::size_t longest_write = 0;  // 0: no limit

  int count() const { return count_; }
  // Name of the call that failed, empty while none has.
  const std::string& failed_call() const { return failed_call_; }

  int openat(int folder, const char* path, int flags, mode_t mode) const override {
    if (!unnamed_files && (flags & O_TMPFILE) == O_TMPFILE) return errno = EOPNOTSUPP, -1;
    return fails("openat") ? -1 : SystemCalls::openat(folder, path, flags, mode);
  }
  int fstat(int fd, struct stat* status) const override {
    return fails("fstat") ? -1 : SystemCalls::fstat(fd, status);
  }
  int fstatat(int folder, const char* path, struct stat* status, int flags) const override {
    return fails("fstatat") ? -1 : SystemCalls::fstatat(folder, path, status, flags);
  }
  ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) const override {
    return fails("preadv") ? -1 : SystemCalls::preadv(fd, vectors, count, offset);
  }
  ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) const override {
    if (fails("pwritev")) return -1;
    if (longest_write == 0) return SystemCalls::pwritev(fd, vectors, count, offset);
    while (count > 1 && vectors->iov_len == 0) ++vectors, --count;
    const iovec cut = {vectors->iov_base, std::min(vectors->iov_len, longest_write)};
    return SystemCalls::pwritev(fd, &cut, 1, offset);
  }
  ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset,
                          std::size_t size) const override {
    if (fails("copy_file_range")) return -1;
    return SystemCalls::copy_file_range(from, from_offset, to, to_offset, size);
  }
  int fallocate(int fd, int mode, off_t offset, off_t size) const override {
    return fails("fallocate") ? -1 : SystemCalls::fallocate(fd, mode, offset, size);
  }
  int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) const override {
    return fails("sync_file_range") ? -1 : SystemCalls::sync_file_range(fd, offset, size, flags);
  }
  int fsync(int fd) const override { return fails("fsync") ? -1 : SystemCalls::fsync(fd); }
  int linkat(int from_folder, const char* from, int to_folder, const char* to,
             int flags) const override {
    return fails("linkat") ? -1 : SystemCalls::linkat(from_folder, from, to_folder, to, flags);
  }
  int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                unsigned flags) const override {
    if (!rename_flags && flags != 0) return errno = EINVAL, -1;
    return fails("renameat2") ? -1
                              : SystemCalls::renameat2(from_folder, from, to_folder, to, flags);
  }
  int mkdirat(int folder, const char* path, mode_t mode) const override {
    return fails("mkdirat") ? -1 : SystemCalls::mkdirat(folder, path, mode);
  }
  int unlinkat(int folder, const char* path, int flags) const override {
    return fails("unlinkat") ? -1 : SystemCalls::unlinkat(folder, path, flags);
  }

 private:
  bool fails(const char* call) const {
    if (++count_ != fail_at) return false;
    failed_call_ = call;
    errno = error_number;
    return true;
  }
  mutable std::atomic<int> count_{0};
  mutable std::string failed_call_;
};

}  // namespace sealpack::testing
