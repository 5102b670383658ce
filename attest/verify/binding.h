// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "formats/base/bytes.h"
#include "formats/base/reason.h"

namespace sealpack::attest {

// Adds `code` unless the evidence is bound to exactly `expected`: the same bytes and size, and not
// to nothing, which binds nothing even where nothing is asked for. `field` names where it is bound.
// Without an expectation the caller compares what the verdict says.
void check_binding(const std::optional<ByteVector>& expected, Bytes bound, const char* code,
                   std::string_view field, std::vector<Reason>& reasons);

}  // namespace sealpack::attest
