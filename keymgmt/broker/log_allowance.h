// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>

namespace sealpack::broker {

// How many refusals without proven evidence are logged. Whoever knows a bundle can make as many as
// he likes, and the log is for ever: beyond the first so many, one a second. For several threads.
class LogAllowance {
 public:
  static constexpr std::uint64_t kBurst = 1000;

  // `uptime`: seconds by a clock that nobody sets.
  bool take(std::uint64_t uptime) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t passed = uptime - std::min(uptime, filled_);
    filled_ += passed;
    left_ += std::min(passed, kBurst - left_);
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  std::mutex mutex_;
  std::uint64_t left_ = kBurst;
  std::uint64_t filled_ = 0;  // when
};

}  // namespace sealpack::broker
