// SPDX-License-Identifier: Apache-2.0
// Input: a pattern, a newline, a text. A pattern that parses matches without crashing, in bounded
// time; one without special characters matches exactly itself, and any text matches its escaped
// self.
#include <cstdlib>

#include "formats/base/bytes.h"
#include "formats/files/glob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = sealpack::as_text({data, size});
  const std::size_t newline = std::min(input.find('\n'), input.size());
  const std::string_view pattern = input.substr(0, newline);
  const std::string_view text = input.substr(std::min(newline + 1, input.size()));

  const auto glob = sealpack::Glob::parse(pattern);
  if (glob.ok()) {
    const bool matches = glob->matches(text);
    const bool plain = pattern.find_first_of("*?[]{}\\") == std::string_view::npos;
    if (plain && matches != (pattern == text)) std::abort();
  }
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("*?[]{}\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  const auto itself = sealpack::Glob::parse(escaped);
  if (itself.ok() && !itself->matches(text)) std::abort();
  return 0;
}
