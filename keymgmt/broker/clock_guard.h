// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>

#include "formats/base/reason.h"
#include "keymgmt/broker/records.h"

// A broker whose clock is wrong releases nothing (docs/BROKER.md §11): one that is behind takes
// what has ended for good, one that is ahead forgets nonces and leases that have not ended.
namespace sealpack::broker {

// Seconds. Between what is logged and now: replicas differ, and nobody's broker stands still so
// long. While one runs: less than what is kept of a nonce after its challenge ended, in all.
inline constexpr std::uint64_t kClockBehind = 60;
inline constexpr std::uint64_t kClockAhead = 30 * 24 * 3600;
inline constexpr std::uint64_t kClockJump = 10 * 60;
// One second in so many, on top while one runs: 500 ppm, as fast as Linux slews a clock.
inline constexpr std::uint64_t kClockDrift = 2000;

inline constexpr const char* kClockReason = "broker.clock";

// Why `now` cannot be, after what was logged at `logged`: "broker.clock".
std::optional<Reason> check_clock(std::uint64_t now, std::uint64_t logged);

// Seconds since this machine started, also while it slept.
std::uint64_t seconds_since_boot();

// The clock of one process: the first time is believed against what the store logged, all others
// against that one and a clock that nobody sets. Steps add up, however small. For several threads.
class ClockGuard {
 public:
  std::optional<Reason> check(const State& state, std::uint64_t now, std::uint64_t uptime);

 private:
  // The first that was believed.
  struct Moment {
    std::uint64_t now = 0;
    std::uint64_t uptime = 0;
    std::uint64_t confirmed = 0;  // State::clock_confirmed
  };
  std::mutex mutex_;
  std::optional<Moment> anchor_;
};

}  // namespace sealpack::broker
