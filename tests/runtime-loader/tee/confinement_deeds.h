// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sealpack::tee {

// What confinement_probe is asked to do.
enum class Deed : std::uint8_t {
  kNothing,
  kSocket,
  kOpen,
  kExecute,
  kFork,
  kThread,
  kExecutableMemory,
  kMakeExecutable,
  kTrace,
  kSignalOthers,
  kReadOther,
  kWriteOther,
  kRaiseLimit,
  kDumpable,
  kCrash,
  kTakeTooMuch,
  kTakeEnough,
  kHeapTooMuch,
  kWait,
};

inline constexpr int kDone = 42;
inline constexpr int kCouldNot = 43;
inline constexpr std::uint64_t kProbeCap = std::uint64_t{8} << 20U;

}  // namespace sealpack::tee
