// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "formats/base/result.h"

namespace sealpack::tee {

// kStarting allows making threads and setting limits besides what kRunning allows; kRunning is put
// on top of it once the threads are there. Everything else kills the process.
enum class FilterStage { kStarting, kRunning };

// Applies to every thread. kInternal when the kernel does not take it: then the program must not go
// on.
Status filter_system_calls(FilterStage stage);

// The list in text, one call a line with its conditions: what the measurement covers.
std::string describe_filter();

}  // namespace sealpack::tee
