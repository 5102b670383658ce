// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::loader {

// Names of owners, roles and kinds: 1 to 64 bytes of a-z, 0-9, '-', so that they are safe wherever
// they are printed or compared.
inline constexpr std::uint64_t kMaxLabelSize = 64;
// Names of tensors, as a model spells them.
inline constexpr std::uint64_t kMaxNameSize = 4096;

bool is_label(std::string_view text);
Status check_label(std::string_view text, const std::string& what);  // kMalformed

}  // namespace sealpack::loader
