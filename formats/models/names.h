// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::models {

// A name that occurs twice. By sorting: an attacker can flood a hash table, not a sort.
inline std::optional<std::string_view> find_duplicate(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin == names.end()) return std::nullopt;
  return *twin;
}

// An untrusted name for a message: printable, and cut where a megabyte of it would help nobody.
inline std::string shown(std::string_view name) {
  constexpr std::size_t kShownSize = 128;
  if (name.size() <= kShownSize) return printable(name);
  return printable(name.substr(0, kShownSize)) + " (cut)";
}

}  // namespace sealpack::models
