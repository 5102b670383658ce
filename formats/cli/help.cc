// SPDX-License-Identifier: Apache-2.0
#include "formats/cli/help.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace sealpack::cli {
namespace {

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += "  " + std::string(text.substr(0, end)) + '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string help_footer(const std::string& example, const std::string& files,
                        std::span<const ExitCode> codes) {
  std::string text = "Example:\n" + indented(example) + '\n';
  if (!files.empty()) text += "Files:\n" + indented(files) + '\n';
  text += "Exit status:\n  0   done\n";
  for (const auto& [code, meaning] : codes) {
    std::string number = std::to_string(static_cast<int>(code));
    number.resize(4, ' ');
    text += "  " + number + meaning + '\n';
  }
  return text;
}

std::string help_footer(const std::string& example, const std::string& files,
                        std::initializer_list<ExitCode> codes) {
  return help_footer(example, files, std::span(codes.begin(), codes.size()));
}

std::vector<ExitCode> merge_codes(std::span<const ExitCode> common,
                                  std::span<const ExitCode> specific) {
  std::map<ErrorCode, const char*> all(common.begin(), common.end());
  for (const auto& [code, meaning] : specific) all[code] = meaning;
  return {all.begin(), all.end()};
}

}  // namespace sealpack::cli
