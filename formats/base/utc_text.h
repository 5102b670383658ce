// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sealpack {

// "2026-11-20 12:00:00 UTC"; beyond the year 9999 "253402300800 (Unix seconds)".
std::string utc_text(std::uint64_t unix_seconds);

}  // namespace sealpack
