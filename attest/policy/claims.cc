// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/claims.h"

#include <algorithm>

#include "attest/policy/check_policy.h"

namespace sealpack::attest {

const Claim* Claims::find(std::string_view name) const {
  for (const Claim& claim : claims) {
    if (claim.name == name) return &claim;
  }
  return nullptr;
}

void Claims::add_bytes(std::string_view name, Bytes value) {
  claims.push_back({std::string(name), to_vector(value)});
}
void Claims::add_flag(std::string_view name, bool value) {
  claims.push_back({std::string(name), {value ? std::uint8_t{1} : std::uint8_t{0}}});
}
void Claims::add_number(std::string_view name, std::uint64_t value) {
  claims.push_back({std::string(name), policy::internal::number_value(value)});
}
void Claims::add_text(std::string_view name, std::string_view value) {
  add_bytes(name, as_bytes(value));
}
void Claims::sort() {
  std::sort(claims.begin(), claims.end());
}

}  // namespace sealpack::attest
