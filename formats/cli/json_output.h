// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "formats/cli/terminal.h"

namespace sealpack::cli {

// Keys stay in the order in which they were added.
using Json = nlohmann::ordered_json;

// The one JSON value that a verb prints, on stdout. ASCII alone, so that no name steers a terminal.
void print_json(Terminal& terminal, const Json& value);

// The same for a list, of which one element exists at a time: what makes a long list of a few bytes
// takes a thousand times as much as JSON values. `give` hands each element to its argument; where
// it fails, the list breaks off.
using JsonSink = std::function<void(const Json&)>;
Status print_json_list(Terminal& terminal, const std::function<Status(const JsonSink&)>& give);

// The same for an object that ends with such a list under `key`.
void print_json(Terminal& terminal, const Json& object, const std::string& key, std::size_t count,
                const std::function<Json(std::size_t)>& element);

// [{"code": …, "text": …}]
Json reasons_json(const std::vector<Reason>& reasons);

// "sha256:HEX"
std::string json_digest(const Digest& digest);

}  // namespace sealpack::cli
