// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>

namespace sealpack {

// The system calls that read and write files, so that a test can make any of them fail. Each does
// what the call of its name does and sets errno; the base class makes the real ones.
class SystemCalls {
 public:
  virtual ~SystemCalls() = default;
  virtual int openat(int folder, const char* path, int flags, mode_t mode) const;
  virtual int fstat(int fd, struct stat* status) const;
  virtual int fstatat(int folder, const char* path, struct stat* status, int flags) const;
  virtual ssize_t preadv(int fd, const iovec* vectors, int count, off_t offset) const;
  virtual ssize_t pwritev(int fd, const iovec* vectors, int count, off_t offset) const;
  virtual ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset,
                                  std::size_t size) const;
  virtual int fallocate(int fd, int mode, off_t offset, off_t size) const;
  virtual int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) const;
  virtual int fsync(int fd) const;
  virtual int linkat(int from_folder, const char* from, int to_folder, const char* to,
                     int flags) const;
  virtual int renameat2(int from_folder, const char* from, int to_folder, const char* to,
                        unsigned flags) const;
  virtual int mkdirat(int folder, const char* path, mode_t mode) const;
  virtual int unlinkat(int folder, const char* path, int flags) const;
};

// The calls in force for the whole process: the real ones unless a ScopedSystemCalls is alive.
const SystemCalls& system_calls();

// Puts `calls` in force until destruction. For one thread that sets up and ends a test.
class ScopedSystemCalls {
 public:
  explicit ScopedSystemCalls(const SystemCalls& calls);
  ScopedSystemCalls(const ScopedSystemCalls&) = delete;
  ScopedSystemCalls& operator=(const ScopedSystemCalls&) = delete;
  ~ScopedSystemCalls();

 private:
  const SystemCalls* before_;
};

// Repeats `call` while a signal interrupts it.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace sealpack
