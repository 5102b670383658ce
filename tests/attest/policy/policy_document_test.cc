// SPDX-License-Identifier: Apache-2.0
// docs/POLICY.md lists the claims of each TEE as claim_names.cc has them.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "attest/policy/claim_names.h"

namespace sealpack::policy {
namespace {

std::string in_code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string joined(const ClaimName& claim) {
  std::string out;
  for (const std::string_view text : claim.texts) {
    out += (out.empty() ? ": " : ", ") + in_code(text);
  }
  return out;
}

std::string value_text(const ClaimName& claim) {
  if (claim.kind == ClaimKind::kFlag) return "true or false";
  if (claim.kind == ClaimKind::kNumber) return "number";
  std::string out = "text" + joined(claim);
  if (claim.is_bytes()) {
    out = "hex, ";
    for (std::size_t i = 0; i < claim.sizes.size(); ++i) {
      const char* before = i == 0 ? "" : i + 1 == claim.sizes.size() ? " or " : ", ";
      out += before + std::to_string(claim.sizes[i]);
    }
    out += " bytes";
  }
  if (claim.kind == ClaimKind::kBits) out += ", a mask of bits";
  if (claim.zero_is_debug) out += "; all zeros (debug) is never accepted";
  if (claim.is_set()) out += "; may occur several times";
  return out;
}

std::string need_text(const ClaimName& claim) {
  if (!claim.not_ignored_with.empty()) {
    return "required; not ignored where " + in_code(claim.not_ignored_with) + " is accepted";
  }
  if (claim.mandatory) return claim.never_ignored ? "required, never ignored" : "required";
  if (!claim.mandatory_where.claim.empty()) {
    return "required where " + in_code(claim.mandatory_where.claim) + " may be " +
           in_code(claim.mandatory_where.value);
  }
  if (!claim.bad_news) return "";
  return claim.kind == ClaimKind::kFlag ? "bad news: refused unless ignored"
                                        : "must be stated where it is made";
}

// One row for all that are counted: "measurement00" to "measurement63".
bool is_counted(std::string_view claim) {
  constexpr std::string_view kCounted = "measurement";
  return claim.starts_with(kCounted) && claim.size() == kCounted.size() + 2;
}

std::string table_of(const TeeClaims& tee) {
  std::string out = "### " + std::string(tee.tee) + "\n\n| claim | value | |\n|---|---|---|\n";
  for (const bool mandatory : {true, false}) {
    for (const ClaimName& claim : tee.claims) {
      if (claim.mandatory != mandatory || claim.name.starts_with(kGpuPrefix)) continue;
      if (is_counted(claim.name) && claim.name != "measurement00") continue;
      const char* last = is_counted(claim.name) ? " to `measurement63`" : "";
      out += "| " + in_code(claim.name) + last + " | " + value_text(claim) + " | " +
             need_text(claim) + " |\n";
    }
  }
  return out;
}

TEST(PolicyDocument, ListsEveryClaimOfEveryTee) {
  std::ifstream file(SEALPACK_POLICY_DOCUMENT);
  std::ostringstream document;
  document << file.rdbuf();
  for (const TeeClaims& tee : all_tee_claims()) {
    const std::string table = table_of(tee);
    EXPECT_NE(document.str().find(table), std::string::npos) << "docs/POLICY.md should have\n"
                                                             << table;
  }
}

}  // namespace
}  // namespace sealpack::policy
