// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/confinement.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "runtime-loader/tee/process/inside/descriptors.h"

namespace sealpack::tee {
namespace {

// From the kernel's headers, which may be older than the kernel.
constexpr int kSetMdwe = 65;
constexpr unsigned long kMdweRefuseExecGain = 1;
constexpr long kLandlockCreateRuleset = 444;
constexpr long kLandlockRestrictSelf = 446;
constexpr unsigned long kLandlockVersion = 1;

struct LandlockRuleset {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};

// Every right that version `abi` of the interface knows.
LandlockRuleset all_rights(long abi) {
  unsigned files = 13;
  if (abi >= 2) files = 14;  // moving between folders
  if (abi >= 3) files = 15;  // truncating
  if (abi >= 5) files = 16;  // ioctl on devices
  LandlockRuleset rights;
  rights.handled_access_fs = (std::uint64_t{1} << files) - 1;
  if (abi >= 4) rights.handled_access_net = 3;  // bind, connect
  if (abi >= 6) rights.scoped = 3;              // abstract sockets, signals
  return rights;
}

void limit(__rlimit_resource_t resource, rlim_t value, const char* why) {
  const rlimit both = {value, value};
  if (::setrlimit(resource, &both) != 0) die(why);
}

// A tracer that came before the process was undumpable stays.
bool is_traced() {
  std::array<char, 4096> text{};
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(file, text.data(), text.size());
  (void)::close(file);
  if (size <= 0) die("cannot read /proc/self/status");
  const std::string_view all(text.data(), static_cast<std::size_t>(size));
  return all.find("\nTracerPid:\t0\n") == std::string_view::npos;
}

}  // namespace

void harden_process() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) die("cannot become undumpable");
  if (is_traced()) die("the program is being traced");
  limit(RLIMIT_CORE, 0, "cannot forbid core files");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("cannot give up new rights");
  // One heap, no second one a thread, nothing mapped aside, nothing given back: what it holds is
  // what it ever held.
  (void)::mallopt(M_ARENA_MAX, 1);
  (void)::mallopt(M_MMAP_MAX, 0);
  (void)::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  (void)::mallopt(M_TOP_PAD, 16 << 10);
}

bool refuse_new_code() {
  return ::prctl(kSetMdwe, kMdweRefuseExecGain, 0, 0, 0) == 0;
}

bool leave_file_system() {
  const long abi = ::syscall(kLandlockCreateRuleset, nullptr, 0, kLandlockVersion);
  if (abi < 1) return false;
  const LandlockRuleset rights = all_rights(abi);
  const long ruleset = ::syscall(kLandlockCreateRuleset, &rights, sizeof rights, 0);
  if (ruleset < 0) return false;
  const bool left = ::syscall(kLandlockRestrictSelf, ruleset, 0) == 0;
  (void)::close(static_cast<int>(ruleset));
  return left;
}

void close_other_descriptors() {
  static_assert(kLastBundleDescriptor + 1 == kStatusDescriptor);
  static_assert(kStatusDescriptor + 1 == kRollupDescriptor);
  if (::close_range(kControlDescriptor + 1, kFirstBundleDescriptor - 1, 0) != 0 ||
      ::close_range(kRollupDescriptor + 1, ~0U, 0) != 0) {
    die("cannot close descriptors");
  }
}

void freeze_limits() {
  limit(RLIMIT_FSIZE, 0, "cannot limit files");
  limit(RLIMIT_NOFILE, 0, "cannot limit descriptors");
  limit(RLIMIT_NPROC, 0, "cannot limit processes");
}

}  // namespace sealpack::tee
