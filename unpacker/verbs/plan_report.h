// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/content.h"
#include "formats/cli/json_output.h"

namespace sealpack::unpacker {

// What a plan says beyond the name of its scheme, as lines of name and value: which parts there are
// and what crosses between them. Empty for schemes without parameters; one line that says so for
// parameters that cannot be read.
std::vector<std::pair<std::string, std::string>> plan_lines(const bundle::Plan& plan);
// The same as JSON, null where there is nothing.
cli::Json plan_json(const bundle::Plan& plan);

}  // namespace sealpack::unpacker
