// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <ctime>

#include "formats/base/error.h"

namespace sealpack::tee {

// The clock that leases run by, for backends under Linux: seconds since the machine was started. It
// goes on while the machine is suspended, which std::chrono::steady_clock does not, and nobody can
// set it. A virtual machine that its host pauses sees no time pass on either. Ends the process
// where it cannot be read (a filter of system calls): under a clock that stands no lease would ever
// end.
inline std::chrono::seconds boot_clock() {
  timespec now{};
  if (::clock_gettime(CLOCK_BOOTTIME, &now) != 0) die("the clock that leases run by is not there");
  return std::chrono::seconds(now.tv_sec);
}

}  // namespace sealpack::tee
