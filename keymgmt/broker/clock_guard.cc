// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/clock_guard.h"

#include <ctime>

#include "formats/base/utc_text.h"

namespace sealpack::broker {
namespace {

Reason wrong(const std::string& how) {
  return {kClockReason, "the broker's clock seems wrong: " + how};
}

}  // namespace

std::optional<Reason> check_clock(std::uint64_t now, std::uint64_t logged) {
  const bool behind = now + kClockBehind < logged;
  if (!behind && now <= logged + kClockAhead) return std::nullopt;
  return wrong("it says " + utc_text(now) + ", the log has reached " + utc_text(logged));
}

std::uint64_t seconds_since_boot() {
  timespec now{};
  if (::clock_gettime(CLOCK_BOOTTIME, &now) != 0) die("the system has no CLOCK_BOOTTIME");
  return static_cast<std::uint64_t>(now.tv_sec);
}

std::optional<Reason> ClockGuard::check(const State& state, std::uint64_t now,
                                        std::uint64_t uptime) {
  const std::lock_guard lock(mutex_);
  if (!anchor_ || anchor_->confirmed != state.clock_confirmed) {
    if (auto reason = check_clock(now, state.last_time)) return reason;
    anchor_ = {now, uptime, state.clock_confirmed};
    return std::nullopt;
  }
  // Threads come here in any order, perhaps a moment before the anchor.
  const std::uint64_t passed = uptime - std::min(uptime, anchor_->uptime);
  const std::uint64_t expected = anchor_->now + passed;
  const std::uint64_t drift = passed / kClockDrift;
  if (now + kClockBehind + drift < expected || now > expected + kClockJump + drift) {
    return wrong("it says " + utc_text(now) + " where " + utc_text(expected) +
                 " was to be expected");
  }
  return std::nullopt;
}

}  // namespace sealpack::broker
