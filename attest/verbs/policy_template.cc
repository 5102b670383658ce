// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/policy_template.h"

#include <algorithm>

#include "attest/policy/careful_values.h"
#include "attest/policy/check_policy.h"
#include "attest/policy/claim_text.h"

namespace sealpack::attest {
namespace {

using policy::ClaimKind;
using policy::ClaimName;
using Values = std::vector<ByteVector>;

constexpr std::string_view kIgnore = "{ ignore = \"\" }";

// Others at the next boot, launch or question: a rule for the sample's value would never hold
// again.
constexpr std::string_view kFleeting[] = {"gpu_nonce", "module_id", "report_id", "report_id_ma",
                                          "restart_count"};
// Numbers that only grow, besides those that say it by their names.
constexpr std::string_view kGrowing[] = {"clock", "reset_count"};

// A quote of version 4 does not say what service TDs there are: nothing is claimed, for no rule.
constexpr std::string_view kNeverEmpty =
    "the rule refuses evidence that does not say it, which otherwise passes";

// What bad news means, and what makes it go away.
struct BadNews {
  std::string_view claim;
  std::string_view meaning;
};
constexpr BadNews kBadNews[] = {
    {"advisories", "its firmware is open to what these advisories say, until it is updated"},
    {"ak_purpose_unstated", "nobody says that the attestation key signs what a TPM made alone"},
    {"chip_id_masked", "its host hides which chip it is of"},
    {"gpu_revocation_unchecked",
     "nothing said that the GPU's certificates stand; 'sealpack attest fetch' gets answers that "
     "do"},
    {"provisional", "its firmware is on trial, and the host can still go back"},
    {"revocation_unchecked",
     "nothing said that its certificates stand; 'sealpack attest fetch' gets a list that does"},
    {"service_td", "a service TD can do to it what it likes"}};

// Of a GPU's 64 measurements, which are all in the digest that has a rule.
constexpr std::string_view kOfAllMeasurements =
    "of all measurements; for rules about single ones: 'sealpack attest measure nvidia-rim'";

template <std::size_t N>
bool is_one_of(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Levels: a later firmware has a higher one.
bool is_level(const ClaimName& claim) {
  if (claim.kind != ClaimKind::kNumber) return false;
  const auto has = [&](std::string_view part) { return claim.name.find(part) != claim.name.npos; };
  return has("tcb") || has("svn") || has("firmware_version") || is_one_of(kGrowing, claim.name);
}

bool is_single_measurement(std::string_view name) {
  if (name.starts_with(policy::kGpuPrefix)) name.remove_prefix(policy::kGpuPrefix.size());
  return name.starts_with("measurement") && name.back() >= '0' && name.back() <= '9';
}

bool is_of_all_measurements(std::string_view name) {
  return name == "measurements" || name == "gpu_measurements";
}

bool is_zero(const ByteVector& value) {
  return std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
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

std::string list_of(const ClaimName& claim, const Values& values) {
  std::string list;
  for (const ByteVector& value : values) {
    list += (list.empty() ? "" : ", ") + policy::value_in_toml(claim, value);
  }
  return "[" + list + "]";
}

// The rule that holds for the values and, where that can be said, for better ones.
std::string rule_for(const ClaimName& claim, const Values& values) {
  if (claim.is_set() && !claim.bad_news) return "{ require = " + list_of(claim, values) + " }";
  if (claim.name == "age") return "{ maximum = 300 }";
  if (!is_level(claim)) return "{ accept = " + list_of(claim, values) + " }";
  if (is_zero(values[0])) return "{ ignore = \"the sample's level is 0, and none is lower\" }";
  return "{ minimum = " + policy::value_in_toml(claim, values[0]) + " }";
}

std::string environment_head(std::string_view tee, const std::string& source) {
  return "\n# " + source + "\n[[environment]]\ntee = " + policy::text_in_toml(tee) +
         "\n[environment.claims]\n";
}

class Draft {
 public:
  explicit Draft(const Claims& claims) : claims_(claims) {}

  void add(const ClaimName& claim) {
    Values values;
    for (const Claim& made : claims_.claims) {
      if (made.name == claim.name) values.push_back(made.value);
    }
    const bool possible = std::all_of(values.begin(), values.end(), [&](const ByteVector& value) {
      return policy::internal::why_not_a_value(claim, value).empty();
    });
    if (values.empty() || !possible) {
      if (claim.mandatory) add_unknown(claim, values.empty());
      if (!claim.mandatory && claim.never_empty) add_unsaid(claim);
    } else if (claim.bad_news) {
      add_bad_news(claim, values);
    } else if (!add_careless(claim, values)) {
      add_rule(claim, values);
    }
  }

  PolicyDraft finish(std::string_view tee, const std::string& source) && {
    if (!more_.empty()) more_ = "# Not required; take the '#' away to demand it:\n" + more_;
    return {environment_head(tee, source) + rules_ + more_, std::move(undecided_)};
  }

 private:
  void caution(const ClaimName& claim, const std::string& why, const std::string& rule) {
    rules_ += "# CAUTION: " + why + "\n# " + std::string(claim.name) + " = " + rule + "\n";
    undecided_.emplace_back(claim.name);
  }

  void add_unknown(const ClaimName& claim, bool silent) {
    const std::string what =
        silent ? "the sample says nothing about " : "the sample has what is never accepted as ";
    caution(claim,
            what + std::string(claim.name) +
                ", which needs a rule: state what is accepted, or why anything is",
            std::string(kIgnore));
  }

  void add_unsaid(const ClaimName& claim) {
    const policy::CarefulValues* careful = policy::find_careful_values(claim.name);
    if (careful == nullptr) return;
    more_ += "# (the sample does not say it; " + std::string(kNeverEmpty) + ")\n# " +
             std::string(claim.name) + " = { accept = [" + std::string(careful->values) + "] }\n";
  }

  void add_bad_news(const ClaimName& claim, const Values& values) {
    const bool flag = claim.kind == ClaimKind::kFlag;
    const auto* news = std::find_if(std::begin(kBadNews), std::end(kBadNews),
                                    [&](const BadNews& one) { return one.claim == claim.name; });
    if (news == std::end(kBadNews)) die("policy_template: bad news without a meaning");
    caution(claim,
            std::string(news->meaning) + "; refused unless you " +
                (flag ? "say why that is fine" : "list them"),
            flag ? std::string(kIgnore) : rule_for(claim, values));
  }

  // Whether the values are some that no careful policy accepts.
  bool add_careless(const ClaimName& claim, const Values& values) {
    const policy::CarefulValues* careful = policy::find_careful_values(claim.name);
    if (careful == nullptr) return false;
    const bool fine = std::all_of(values.begin(), values.end(), [&](const ByteVector& value) {
      return policy::is_careful(*careful, claim, value);
    });
    if (fine) return false;
    const std::string wanted =
        std::string(claim.name) + " = { accept = [" + std::string(careful->values) + "] }\n";
    const std::string is = "the sample has " + list_of(claim, values) + ", which admits " +
                           std::string(careful->others);
    if (!claim.mandatory) {
      more_ += "# (" + is + ")\n# " + wanted;
      return true;
    }
    const bool flag = claim.kind == ClaimKind::kFlag;
    caution(claim, is + "; to accept it, in place of the line below:",
            flag ? std::string(kIgnore) : "{ accept = " + list_of(claim, values) + " }");
    rules_ += wanted;
    return true;
  }

  void add_rule(const ClaimName& claim, const Values& values) {
    if (claim.mandatory) {
      rules_ += std::string(claim.name) + " = " + rule_for(claim, values);
      if (is_of_all_measurements(claim.name)) rules_ += "  # " + std::string(kOfAllMeasurements);
      rules_ += '\n';
      return;
    }
    const bool says_nothing = is_level(claim) && is_zero(values[0]);
    if (says_nothing || is_one_of(kFleeting, claim.name) || is_single_measurement(claim.name)) {
      return;
    }
    more_ += "# " + std::string(claim.name) + " = " + rule_for(claim, values) + "\n";
  }

  const Claims& claims_;
  std::string rules_;
  std::string more_;
  std::vector<std::string> undecided_;
};

std::string empty_rule(const ClaimName& claim) {
  const policy::CarefulValues* careful = policy::find_careful_values(claim.name);
  if (careful != nullptr) return "{ accept = [" + std::string(careful->values) + "] }";
  if (claim.bad_news && claim.kind == ClaimKind::kFlag) return std::string(kIgnore);
  if (claim.kind == ClaimKind::kBits && !claim.mandatory) {
    return "{ require_bits = \"\", allow_bits = \"\" }";
  }
  if (claim.is_set() && !claim.bad_news) return "{ require = [\"\"] }";
  if (claim.kind == ClaimKind::kNumber) {
    return is_level(claim) ? "{ minimum = 0 }" : "{ accept = [] }";
  }
  return claim.kind == ClaimKind::kFlag ? "{ accept = [] }" : "{ accept = [\"\"] }";
}

std::string empty_comment(const ClaimName& claim) {
  std::string out = "  # " + kind_text(claim);
  if (!claim.mandatory_where.claim.empty()) {
    out += "; required for " + std::string(claim.mandatory_where.value);
  }
  if (claim.mandatory_with_gpu) out += "; required with a GPU";
  const bool required = claim.mandatory || claim.mandatory_with_gpu;
  if (claim.never_empty && !required) out += "; " + std::string(kNeverEmpty);
  if (is_of_all_measurements(claim.name)) out += "; " + std::string(kOfAllMeasurements);
  return out + "\n";
}

}  // namespace

std::string policy_heading() {
  return "# Who may open: any one of the environments below suffices, and all of its rules must "
         "hold.\n"
         "# A rule is { accept = [values] }, { minimum = N }, { maximum = N } or { ignore = "
         "\"because …\" }; of masks of bits\n"
         "# { require_bits = \"hex\", allow_bits = \"hex\" }, of what occurs several times "
         "{ require = [values], accept = [values] }.\n"
         "# 'sealpack policy check' reads it, 'sealpack policy test' tries it on evidence.\n";
}

PolicyDraft environment_of(const Claims& claims, const std::string& source) {
  const policy::TeeClaims* tee = policy::find_tee(claims.tee);
  if (tee == nullptr) die("environment_of: claims of a TEE that no policy can name");
  const bool gpu = std::any_of(claims.claims.begin(), claims.claims.end(), [](const Claim& one) {
    return one.name.starts_with(policy::kGpuPrefix);
  });
  Draft draft(claims);
  for (ClaimName claim : tee->claims) {
    const auto& where = claim.mandatory_where;
    if (claim.mandatory_with_gpu && gpu) claim.mandatory = true;
    const Claim* decides = where.claim.empty() ? nullptr : claims.find(where.claim);
    if (decides != nullptr && as_text(decides->value) == where.value) claim.mandatory = true;
    draft.add(claim);
  }
  return std::move(draft).finish(tee->tee, source);
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
    if (is_single_measurement(claim.name)) continue;
    const std::string line =
        std::string(claim.name) + " = " + empty_rule(claim) + empty_comment(claim);
    (claim.mandatory ? rules : more) += (claim.mandatory ? "" : "# ") + line;
  }
  return environment_head(tee->tee, "Fill in what is empty.") + rules +
         (more.empty() ? "" : "# Not required:\n" + more);
}

}  // namespace sealpack::attest
