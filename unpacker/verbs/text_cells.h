// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/utc_text.h"
#include "formats/bundle/release.h"
#include "formats/cli/terminal.h"

// How values look in the tables and lines of these verbs.
namespace sealpack::unpacker {

// printable() without its quotes: cells have an end of their own.
inline std::string cell(std::string_view text) {
  const std::string quoted = printable(text);
  return quoted.substr(1, quoted.size() - 2);
}

// "[768,768]"; "[]" for a scalar.
inline std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  }
  return text + "]";
}

// "always", "until …", "from … on", "from … to …".
inline std::string validity_text(const bundle::Release& release) {
  if (release.not_before == 0 && release.not_after == 0) return "always";
  if (release.not_before == 0) return "until " + utc_text(release.not_after);
  const std::string from = "from " + utc_text(release.not_before);
  return release.not_after == 0 ? from + " on" : from + " to " + utc_text(release.not_after);
}

}  // namespace sealpack::unpacker
