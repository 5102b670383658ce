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

}  // namespace sealpack::policy
