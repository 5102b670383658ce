// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/binding.h"

#include <algorithm>

namespace sealpack::attest {

void check_binding(const std::optional<ByteVector>& expected, Bytes bound, const char* code,
                   std::string_view field, std::vector<Reason>& reasons) {
  if (!expected) return;
  const std::string name(field);
  if (expected->empty()) {
    reasons.push_back({code, "nothing was asked to be in its " + name + ", which binds nothing"});
  } else if (bound.empty()) {
    reasons.push_back({code, "it has no " + name});
  } else if (!std::equal(bound.begin(), bound.end(), expected->begin(), expected->end())) {
    const std::string asked = expected->size() == bound.size()
                                  ? "not what was asked for"
                                  : std::to_string(bound.size()) + " bytes, and " +
                                        std::to_string(expected->size()) + " were asked for";
    reasons.push_back({code, "its " + name + " is " + to_hex(bound) + ", " + asked});
  }
}

}  // namespace sealpack::attest
