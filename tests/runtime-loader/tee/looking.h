// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "tests/testing/temporary_folder.h"

namespace sealpack::tee {

inline constexpr const char* kNoLooking = "needs CAP_SYS_PTRACE to look at other processes";

// Whether this process may look at what /proc says of others, as root may, unless a container took
// that away.
inline bool may_look() {
  constexpr unsigned kSysPtrace = 19;
  const std::string status = sealpack::testing::content_of("/proc/self/status");
  const std::string label = "\nCapEff:\t";
  const std::size_t at = status.find(label);
  return at != std::string::npos &&
         (std::stoull(status.substr(at + label.size()), nullptr, 16) >> kSysPtrace & 1U) != 0;
}

}  // namespace sealpack::tee
