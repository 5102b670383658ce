// SPDX-License-Identifier: Apache-2.0
#include "formats/base/path_rules.h"

#include <algorithm>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack {
namespace {

Error bad_path(std::string_view path, const std::string& why) {
  // A hostile name may be megabytes long.
  return {ErrorCode::kMalformed, "path " + printable(path.substr(0, kMaxPathSize)) + " " + why};
}

Status check_component(std::string_view path, std::string_view component) {
  if (component.empty()) return bad_path(path, "starts or ends with '/' or has '//' in it");
  if (component.size() > kMaxPathComponentSize) {
    return bad_path(path, "has a component of " + std::to_string(component.size()) +
                              " bytes, more than " + std::to_string(kMaxPathComponentSize));
  }
  if (component == "." || component == "..") {
    return bad_path(path, "has the component " + printable(component));
  }
  if (component.back() == ' ' || component.back() == '.') {
    return bad_path(path, "has a component that ends in a space or a dot");
  }
  return done();
}

// Order of a byte after folding: '/' comes first, so that a folder's name is followed at once by
// what is in it; upper-case ASCII letters count as lower-case ones.
unsigned folded(char c) {
  if (c == '/') return 0;
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'A' && c <= 'Z' ? byte + ('a' - 'A') : byte) + 1U;
}

// Size of a common start, in steps: long paths in one folder are compared quickly.
std::size_t common_start(std::string_view a, std::string_view b) {
  constexpr std::size_t kStep = 64;
  const std::size_t limit = std::min(a.size(), b.size());
  std::size_t size = 0;
  while (limit - size >= kStep && a.substr(size, kStep) == b.substr(size, kStep)) size += kStep;
  return size;
}

bool folded_less(const std::string* first, const std::string* second) {
  const std::size_t same = common_start(*first, *second);
  const auto a = std::string_view(*first).substr(same);
  const auto b = std::string_view(*second).substr(same);
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return folded(x) < folded(y); });
}

bool folded_starts_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [](char x, char y) { return folded(x) == folded(y); });
}

Error collision(const std::string& a, const std::string& b, const char* why) {
  return {ErrorCode::kMalformed, "paths " + printable(a) + " and " + printable(b) + " " + why};
}

}  // namespace

Status check_path(std::string_view path) {
  if (path.empty()) return Error(ErrorCode::kMalformed, "a path is empty");
  if (path.size() > kMaxPathSize) {
    return bad_path(path, "has " + std::to_string(path.size()) + " bytes, more than " +
                              std::to_string(kMaxPathSize));
  }
  if (!is_utf8(path)) return bad_path(path, "is not UTF-8");
  if (printable(path).size() != path.size() + 2) {
    return bad_path(path, "has control characters or invisible marks in it");
  }
  if (path.find('\\') != std::string_view::npos) return bad_path(path, "has a backslash in it");
  if (path.size() > 1 && path[1] == ':') return bad_path(path, "starts with a drive letter");
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    TRY(check_component(path, path.substr(start, end - start)));
    start = end + 1;
  }
  return done();
}

Status check_no_collisions(std::span<const std::string> paths) {
  std::vector<const std::string*> sorted;
  sorted.reserve(paths.size());
  for (const std::string& path : paths) sorted.push_back(&path);
  std::sort(sorted.begin(), sorted.end(), folded_less);
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const std::string& a = *sorted[i - 1];
    const std::string& b = *sorted[i];
    if (!folded_starts_with(b, a)) continue;
    if (a == b) return Error(ErrorCode::kMalformed, "path " + printable(a) + " is there twice");
    if (a.size() == b.size()) return collision(a, b, "differ only in the case of letters");
    if (b[a.size()] == '/') return collision(a, b, "make one name both a file and a folder");
  }
  return done();
}

}  // namespace sealpack
