// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "formats/base/result.h"

namespace sealpack::plan {

// A kind of TEE as the planner sees it. Every number has its source beside it, printed with the
// plan; none is measured on a device of that kind here.
struct Target {
  const char* name;
  std::uint64_t secure_memory;  // bytes, 0 = not limited
  const char* memory_source;
  std::uint64_t shared_buffer;  // bytes that cross in one go, 0 = not limited
  const char* buffer_source;
  double switch_cost;  // seconds into the TEE and back; 0 = measured by calibration
  const char* switch_source;
  std::uint64_t own_memory;        // bytes of secure memory that the loader keeps beside the model
  std::uint64_t own_of_large = 0;  // and as many more beside one of kLargeModel or more
};
std::span<const Target> all_targets();
Result<const Target*> find_target(std::string_view name);  // kUsage

}  // namespace sealpack::plan
