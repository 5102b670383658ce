// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime-loader/tee/process/protocol.h"

namespace sealpack::tee {

inline constexpr int kLastBundleDescriptor =
    kFirstBundleDescriptor + static_cast<int>(kMaxBundleDescriptors) - 1;
// Files about the program itself, opened before it gives up the file system.
inline constexpr int kStatusDescriptor = 32;  // /proc/self/status
inline constexpr int kRollupDescriptor = 33;  // /proc/self/smaps_rollup

}  // namespace sealpack::tee
