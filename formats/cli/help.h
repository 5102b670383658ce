// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "formats/base/error.h"

namespace sealpack::cli {

// An exit code and what it means for a verb.
using ExitCode = std::pair<ErrorCode, const char*>;

// What the help of a verb says below its options: command lines, a line each; what it reads and
// writes besides what its options say, may be empty; every code that it can end with, but 0.
std::string help_footer(const std::string& example, const std::string& files,
                        std::span<const ExitCode> codes);
std::string help_footer(const std::string& example, const std::string& files,
                        std::initializer_list<ExitCode> codes);

// `specific` over what every verb of its kind can end with, ascending.
std::vector<ExitCode> merge_codes(std::span<const ExitCode> common,
                                  std::span<const ExitCode> specific);

}  // namespace sealpack::cli
