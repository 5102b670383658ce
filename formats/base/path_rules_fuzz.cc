// SPDX-License-Identifier: Apache-2.0
// Lines of the input are paths. What check_path lets through keeps the rules in the words of the
// standard library, and a list that passes check_no_collisions has neither twins nor file-folders.
#include <cstdlib>
#include <filesystem>
#include <set>
#include <vector>

#include "formats/base/bytes.h"
#include "formats/base/path_rules.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void require_harmless(const std::string& path) {
  const std::filesystem::path as_path(path);
  require(as_path.is_relative() && as_path.lexically_normal() == as_path);
  require(as_path.has_filename() && as_path.begin()->string() != "..");
  require(sealpack::printable(path) == "'" + path + "'");
  require(path.size() <= sealpack::kMaxPathSize);
}

std::string lower_case(std::string path) {
  for (char& c : path) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return path;
}

bool collide(const std::vector<std::string>& paths) {
  std::set<std::string> files;
  for (const std::string& path : paths) {
    if (!files.insert(lower_case(path)).second) return true;
  }
  for (const std::string& path : files) {
    for (std::size_t i = path.find('/'); i != std::string::npos; i = path.find('/', i + 1)) {
      if (files.contains(path.substr(0, i))) return true;
    }
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = sealpack::as_text({data, size});
  std::vector<std::string> paths;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string path(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!sealpack::check_path(path).ok()) continue;
    require_harmless(path);
    paths.push_back(path);
  }
  require(sealpack::check_no_collisions(paths).ok() == !collide(paths));
  return 0;
}
