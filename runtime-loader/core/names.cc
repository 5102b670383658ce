// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/core/names.h"

#include <algorithm>

namespace sealpack::loader {

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLabelSize &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Status check_label(std::string_view text, const std::string& what) {
  if (is_label(text)) return done();
  return Error(ErrorCode::kMalformed,
               what + " is not 1 to 64 bytes of a-z, 0-9 and '-': " + printable(text));
}

}  // namespace sealpack::loader
