// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "formats/base/result.h"

namespace sealpack {

inline constexpr std::size_t kMaxPathSize = 1024;
inline constexpr std::size_t kMaxPathComponentSize = 255;

// The one rule for names inside a bundle, applied when packing and again when reading a manifest:
// relative, '/' between components, 1..1024 bytes, each component 1..255 bytes; well-formed UTF-8
// with nothing that printable() escapes (control characters, DEL, bidirectional and zero-width
// marks); no component "." or "..", none that ends in a space or dot (other systems drop those); no
// backslash; no ':' as second character ("C:"). kMalformed, naming the path and the rule.
Status check_path(std::string_view path);

// Refuses a list that some file system could not hold as it is: two equal paths, a path that is
// also a folder of another, and both of these where only the case of ASCII letters differs. Names
// outside ASCII are compared by their bytes: folding and normalising them depends on the version of
// Unicode, and two readers would disagree. Any order of paths; n log n. kMalformed, naming both.
Status check_no_collisions(std::span<const std::string> paths);

}  // namespace sealpack
