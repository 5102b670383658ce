// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace sealpack::attest {

// The codes of reasons that say that the evidence itself breaks the rules of its format, whatever
// is endorsed, trusted or asked for: no key and no time would make it genuine. Ascending.
std::span<const std::string_view> all_malformed_codes();
bool says_malformed(std::string_view code);

}  // namespace sealpack::attest
