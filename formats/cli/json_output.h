// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "formats/cli/terminal.h"

namespace sealpack::cli {

// Keys stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// The one JSON value that a verb prints, on stdout. ASCII alone, so that no name steers a terminal.
void print_json(Terminal& terminal, const Json& value);

// [{"code": …, "text": …}]
Json reasons_json(const std::vector<Reason>& reasons);

// "sha256:HEX"
std::string json_digest(const Digest& digest);

}  // namespace sealpack::cli
