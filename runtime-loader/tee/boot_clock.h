// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <ctime>

namespace sealpack::tee {

// The clock that leases run by, for backends under Linux: seconds since the machine was started. It
// goes on while the machine is suspended, which std::chrono::steady_clock does not, and nobody can
// set it. A virtual machine that its host pauses sees no time pass on either.
inline std::chrono::seconds boot_clock() {
  timespec now{};
  // Fails for clocks that the kernel does not know alone; this one is as old as 2.6.39.
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec);
}

}  // namespace sealpack::tee
