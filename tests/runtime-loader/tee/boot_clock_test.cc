// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/boot_clock.h"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace {
bool clock_is_gone = false;
}

// In the C library's place: a filter of system calls may refuse what a kernel has.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (clock == CLOCK_BOOTTIME && clock_is_gone) {
    errno = EPERM;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
}

namespace sealpack::tee {
namespace {

constexpr std::chrono::seconds kAsleep{100'000};
constexpr int kNotAllowed = 77;

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// In a world where that much more of the time since the start was spent asleep, which is where this
// clock and that of std::chrono::steady_clock part.
int counts_sleep(std::chrono::seconds before) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0) return kNotAllowed;
  std::ofstream offsets("/proc/self/timens_offsets");
  offsets << "boottime " << kAsleep.count() << " 0\n" << std::flush;
  if (!offsets) return kNotAllowed;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(boot_clock() - before >= kAsleep ? 0 : 1);
  return wait_for(child);
}

TEST(BootClock, GoesOnWhileTheMachineSleeps) {
  const std::chrono::seconds before = boot_clock();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(counts_sleep(before));
  const int status = wait_for(child);
  if (status == kNotAllowed) GTEST_SKIP() << "no time namespaces may be made here";
  EXPECT_EQ(status, 0);
}

// A clock that says 0 for ever would be a lease without an end.
TEST(BootClock, ThatCannotBeReadEndsTheProcess) {
  EXPECT_DEATH(
      {
        clock_is_gone = true;
        (void)boot_clock();
      },
      "clock that leases run by");
}

}  // namespace
}  // namespace sealpack::tee
