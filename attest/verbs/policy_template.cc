// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/policy_template.h"

#include <algorithm>

#include "attest/policy/check_policy.h"
#include "attest/policy/claim_text.h"

namespace sealpack::attest {
namespace {

using policy::ClaimKind;
using policy::ClaimName;

// Levels: a later firmware has a higher one.
bool is_level(const ClaimName& claim) {
  if (claim.kind != ClaimKind::kNumber) return false;
  return claim.name.find("tcb") != claim.name.npos || claim.name.find("svn") != claim.name.npos;
}

std::string kind_text(const ClaimName& claim) {
  if (claim.is_bytes()) {
    std::string sizes;
    for (const std::size_t size : claim.sizes) {
      sizes += (sizes.empty() ? "" : " or ") + std::to_string(size);
    }
    return "hex, " + sizes + " bytes";
  }
  if (claim.kind == ClaimKind::kFlag) return "true or false";
  if (claim.kind == ClaimKind::kNumber) return "a number";
  if (claim.texts.empty()) return "a text";
  std::string all;
  for (const std::string_view text : claim.texts) {
    all += (all.empty() ? "" : ", ") + std::string(text);
  }
  return "of " + all;
}

std::string rule_for(const ClaimName& claim, const std::vector<ByteVector>& values) {
  if (is_level(claim) && values.size() == 1 &&
      std::any_of(values[0].begin(), values[0].end(), [](auto byte) { return byte != 0; })) {
    return "{ minimum = " + policy::value_in_toml(claim, values[0]) + " }";
  }
  std::string list;
  for (const ByteVector& value : values) {
    list += (list.empty() ? "" : ", ") + policy::value_in_toml(claim, value);
  }
  return "{ accept = [" + list + "] }";
}

std::string environment_head(std::string_view tee, const std::string& source) {
  return "\n# " + source + "\n[[environment]]\ntee = " + policy::text_in_toml(tee) +
         "\n[environment.claims]\n";
}

// Values that everybody wants.
struct Usual {
  std::string_view claim;
  std::string_view rule;
};
constexpr Usual kUsual[] = {
    {"debug", "{ accept = [false] }"},
    {"hcl_console_enabled", "{ accept = [false] }"},
    {"hcl_secure_boot", "{ accept = [true] }"},
    {"migratable", "{ accept = [false] }"},
    {"migrate_ma", "{ accept = [false] }"},
    {"platform_lifecycle", "{ accept = [\"secured\"] }"},
    {"security_lifecycle", "{ accept = [\"secured\"] }"},
    {"sept_ve_disable", "{ accept = [true] }"},
    {"tcb_status", "{ accept = [\"UpToDate\"] }"},
    {"vmpl", "{ accept = [0] }"},
};

std::string empty_rule(const ClaimName& claim) {
  for (const Usual& usual : kUsual) {
    if (usual.claim == claim.name) return std::string(usual.rule);
  }
  if (claim.kind == ClaimKind::kNumber)
    return is_level(claim) ? "{ minimum = 0 }" : "{ accept = [] }";
  return claim.kind == ClaimKind::kFlag ? "{ accept = [] }" : "{ accept = [\"\"] }";
}

}  // namespace

std::string policy_heading() {
  return "# Who may open: any one of the environments below suffices, and all of its rules must "
         "hold.\n"
         "# A rule is { accept = [values] }, { minimum = N }, { maximum = N } or { ignore = "
         "\"because …\" }.\n"
         "# 'sealpack policy check' reads it, 'sealpack policy test' tries it on evidence.\n";
}

std::string environment_of(const Claims& claims, const std::string& source) {
  const policy::TeeClaims* tee = policy::find_tee(claims.tee);
  if (tee == nullptr) die("environment_of: claims of a TEE that no policy can name");
  std::string rules;
  std::string more;
  for (const ClaimName& claim : tee->claims) {
    std::vector<ByteVector> values;
    for (const Claim& made : claims.claims) {
      if (made.name == claim.name) values.push_back(made.value);
    }
    const bool possible =
        !values.empty() && std::all_of(values.begin(), values.end(), [&](const ByteVector& value) {
          return policy::internal::why_not_a_value(claim, value).empty();
        });
    const std::string name(claim.name);
    if (possible && claim.bad_news) {
      rules += "# CAUTION: bad news; think before you accept it\n";
    }
    if (possible && (claim.mandatory || claim.bad_news)) {
      rules += name + " = " + rule_for(claim, values) + "\n";
    } else if (possible) {
      more += "# " + name + " = " + rule_for(claim, values) + "\n";
    } else if (claim.mandatory) {
      const char* why = values.empty() ? "the sample says nothing about it"
                                       : "the sample's value can never be accepted";
      rules += "# CAUTION: " + std::string(why) + "\n" + name + " = { ignore = \"" + why + "\" }\n";
    }
  }
  if (!more.empty()) {
    more = "# Not required; take the '#' away to demand it:\n" + more;
  }
  return environment_head(tee->tee, source) + rules + more;
}

Result<std::string> empty_environment(const std::string& tee_name) {
  const policy::TeeClaims* tee = policy::find_tee(tee_name);
  if (tee == nullptr) {
    std::string known;
    for (const policy::TeeClaims& one : policy::all_tee_claims()) {
      known += (known.empty() ? "" : ", ") + std::string(one.tee);
    }
    return Error(ErrorCode::kUsage, "there is no TEE " + printable(tee_name)).with_hint(known);
  }
  std::string rules;
  std::string more;
  for (const ClaimName& claim : tee->claims) {
    const std::string name(claim.name);
    const std::string line = name + " = " + empty_rule(claim) + "  # " + kind_text(claim) + "\n";
    (claim.mandatory ? rules : more) += (claim.mandatory ? "" : "# ") + line;
  }
  return environment_head(tee->tee, "Fill in what is empty.") + rules +
         (more.empty() ? "" : "# Not required:\n" + more);
}

}  // namespace sealpack::attest
