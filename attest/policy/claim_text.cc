// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/claim_text.h"

#include "attest/policy/check_policy.h"

namespace sealpack::policy {

std::string value_for_people(const ClaimName& claim, Bytes value) {
  ClaimName any = claim;
  any.texts = {};
  any.zero_is_debug = false;
  if (!internal::why_not_a_value(any, value).empty() || claim.is_bytes()) return to_hex(value);
  if (claim.kind == ClaimKind::kFlag) return value[0] == 0 ? "false" : "true";
  if (claim.kind == ClaimKind::kNumber) return std::to_string(internal::parse_number_value(value));
  return printable(as_text(value));
}

// Texts in a checked policy are printable, so these two are all there is to escape.
std::string text_in_toml(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter;
  }
  return out + "\"";
}

std::string value_in_toml(const ClaimName& claim, Bytes value) {
  switch (claim.kind) {
    case ClaimKind::kBytes:
    case ClaimKind::kBits:
    case ClaimKind::kBytesSet:
      return text_in_toml(to_hex(value));
    case ClaimKind::kFlag:
      return value[0] == 0 ? "false" : "true";
    case ClaimKind::kNumber:
      return std::to_string(internal::parse_number_value(value));
    case ClaimKind::kText:
    case ClaimKind::kTextSet:
      return text_in_toml(as_text(value));
  }
  return {};
}

}  // namespace sealpack::policy
