// SPDX-License-Identifier: Apache-2.0
#include "formats/files/system_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace sealpack {
namespace {

constinit const SystemCalls kRealCalls{};
constinit std::atomic<const SystemCalls*> calls_in_force{&kRealCalls};

}  // namespace

int SystemCalls::openat(int folder, const char* path, int flags, mode_t mode) const {
  return ::openat(folder, path, flags, mode);
}
int SystemCalls::fstat(int fd, struct stat* status) const {
  return ::fstat(fd, status);
}
int SystemCalls::fstatat(int folder, const char* path, struct stat* status, int flags) const {
  return ::fstatat(folder, path, status, flags);
}
ssize_t SystemCalls::preadv(int fd, const iovec* vectors, int count, off_t offset) const {
  return ::preadv(fd, vectors, count, offset);
}
ssize_t SystemCalls::pwritev(int fd, const iovec* vectors, int count, off_t offset) const {
  return ::pwritev(fd, vectors, count, offset);
}
ssize_t SystemCalls::copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset,
                                     std::size_t size) const {
  return ::copy_file_range(from, from_offset, to, to_offset, size, 0);
}
int SystemCalls::fallocate(int fd, int mode, off_t offset, off_t size) const {
  return ::fallocate(fd, mode, offset, size);
}
int SystemCalls::sync_file_range(int fd, off_t offset, off_t size, unsigned flags) const {
  return ::sync_file_range(fd, offset, size, flags);
}
int SystemCalls::fsync(int fd) const {
  return ::fsync(fd);
}
int SystemCalls::linkat(int from_folder, const char* from, int to_folder, const char* to,
                        int flags) const {
  return ::linkat(from_folder, from, to_folder, to, flags);
}
int SystemCalls::renameat2(int from_folder, const char* from, int to_folder, const char* to,
                           unsigned flags) const {
  return ::renameat2(from_folder, from, to_folder, to, flags);
}
int SystemCalls::mkdirat(int folder, const char* path, mode_t mode) const {
  return ::mkdirat(folder, path, mode);
}
int SystemCalls::unlinkat(int folder, const char* path, int flags) const {
  return ::unlinkat(folder, path, flags);
}

const SystemCalls& system_calls() {
  return *calls_in_force.load(std::memory_order_acquire);
}

ScopedSystemCalls::ScopedSystemCalls(const SystemCalls& calls)
    : before_(calls_in_force.exchange(&calls)) {}

ScopedSystemCalls::~ScopedSystemCalls() {
  calls_in_force.store(before_);
}

}  // namespace sealpack
