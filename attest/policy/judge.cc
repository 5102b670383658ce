// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/judge.h"

#include <algorithm>

#include "attest/policy/check_policy.h"
#include "attest/policy/claim_text.h"

namespace sealpack::policy {
namespace {

using internal::parse_number_value;

std::string accepted_text(const ClaimName& claim, const bundle::ClaimRule& rule) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, rule.accepted.size()); ++i) {
    out += (i == 0 ? "" : " or ") + value_for_people(claim, rule.accepted[i]);
  }
  if (rule.accepted.size() > kShown) {
    out += " or " + std::to_string(rule.accepted.size() - kShown) + " more";
  }
  return out;
}

bool is_zero(Bytes value) {
  return std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
}

// The claims of one piece of evidence against one environment of a policy.
class Judgement {
 public:
  Judgement(const attest::Claims& claims, const TeeClaims& tee,
            const bundle::Environment& environment)
      : claims_(claims), tee_(tee), environment_(environment) {}

  std::vector<Reason> reasons() && {
    check_rules_known();
    check_claims_known();
    for (const ClaimName& claim : tee_.claims) judge_claim(claim);
    return std::move(reasons_);
  }

 private:
  void refuse(const char* code, std::string text) { reasons_.push_back({code, std::move(text)}); }

  const bundle::ClaimRule* rule_for(std::string_view name) const {
    for (const bundle::ClaimRule& rule : environment_.rules) {
      if (rule.claim == name) return &rule;
    }
    return nullptr;
  }

  std::vector<Bytes> values_of(std::string_view name) const {
    std::vector<Bytes> values;
    for (const attest::Claim& claim : claims_.claims) {
      if (claim.name == name) values.emplace_back(claim.value);
    }
    return values;
  }

  // A rule whose claim this version cannot compare holds for nothing.
  void check_rules_known() {
    for (const bundle::ClaimRule& rule : environment_.rules) {
      if (find_claim(tee_, rule.claim) == nullptr) {
        refuse("policy.unknown-claim", "the policy has a rule for " + printable(rule.claim) +
                                           ", a claim of " + environment_.tee +
                                           " that this version does not know");
      }
    }
  }

  // Verifiers state what claim_names.h lists and in its form; anything else is not understood.
  void check_claims_known() {
    for (const attest::Claim& made : claims_.claims) {
      const ClaimName* claim = find_claim(tee_, made.name);
      if (claim == nullptr) {
        refuse("policy.unknown-claim", "the evidence makes the claim " + printable(made.name) +
                                           ", which no policy for " + environment_.tee +
                                           " can state");
      }
    }
  }

  void judge_claim(const ClaimName& claim) {
    const bundle::ClaimRule* rule = rule_for(claim.name);
    const std::vector<Bytes> values = values_of(claim.name);
    if (rule == nullptr) return judge_unstated(claim, values);
    if (!has_one_form(*rule)) return refuse_rule(claim);
    if (!rule->ignore_because.empty()) return judge_ignored(claim);
    if (values.empty()) {
      if (claim.is_set() && !claim.mandatory && !claim.never_empty) return;  // the empty set
      refuse("policy.claim-missing", "the evidence says nothing about " + std::string(claim.name) +
                                         ", for which the policy demands " + demand(claim, *rule));
      return;
    }
    if (values.size() > 1 && !claim.is_set()) {
      refuse("policy.ambiguous", "the evidence claims " + std::string(claim.name) + " " +
                                     std::to_string(values.size()) + " times");
      return;
    }
    for (const Bytes value : values) judge_value(claim, *rule, value);
  }

  // Of a rule that says two things only one would be looked at.
  static bool has_one_form(const bundle::ClaimRule& rule) {
    return int{!rule.accepted.empty()} + int{rule.minimum != 0} + int{rule.maximum != 0} +
               int{!rule.ignore_because.empty()} ==
           1;
  }

  void refuse_rule(const ClaimName& claim) {
    refuse("policy.unknown-rule", "the policy has a rule for " + std::string(claim.name) +
                                      " that this version cannot apply");
  }

  void judge_ignored(const ClaimName& claim) {
    if (internal::may_ignore(claim, environment_)) return;
    refuse("policy.never-ignored",
           std::string(claim.name) + " of " + environment_.tee +
               " evidence is never ignored: the policy has to name what it accepts" +
               (claim.or_stated.empty() ? "" : ", or of " + std::string(claim.or_stated)));
  }

  void judge_unstated(const ClaimName& claim, const std::vector<Bytes>& values) {
    if (claim.mandatory) {
      refuse("policy.not-stated", "the policy has no rule for " + std::string(claim.name) +
                                      ", which " + environment_.tee + " policies must have");
      return;
    }
    if (!claim.bad_news) return;
    for (const Bytes value : values) {
      const std::string text = value_for_people(claim, value);
      refuse("policy.not-stated", std::string(claim.name) + " is " + text +
                                      ", and the policy has no rule for " +
                                      std::string(claim.name));
    }
  }

  static bool possible(const ClaimName& claim, Bytes value) {
    ClaimName any_text = claim;
    any_text.texts = {};
    any_text.zero_is_debug = false;
    return internal::why_not_a_value(any_text, value).empty();
  }

  void judge_value(const ClaimName& claim, const bundle::ClaimRule& rule, Bytes value) {
    const std::string name(claim.name);
    if (!possible(claim, value)) {
      refuse("policy.unknown-value", "the value " + to_hex(value) + " of " + name +
                                         " has no meaning: it " +
                                         internal::why_not_a_value(claim, value));
      return;
    }
    if (claim.zero_is_debug && is_zero(value)) {
      refuse("policy.debug-measurement",
             name + " is all zeros, which marks a debug environment and is never accepted");
      return;
    }
    if (!rule.accepted.empty()) {
      const bool listed =
          std::any_of(rule.accepted.begin(), rule.accepted.end(), [&](const ByteVector& one) {
            return std::equal(one.begin(), one.end(), value.begin(), value.end());
          });
      if (!listed) {
        refuse("policy.not-accepted", name + " is " + value_for_people(claim, value) +
                                          ", accepted is " + accepted_text(claim, rule));
      }
      return;
    }
    judge_number(claim, rule, value);
  }

  void judge_number(const ClaimName& claim, const bundle::ClaimRule& rule, Bytes value) {
    const std::string name(claim.name);
    if (claim.kind != ClaimKind::kNumber) return refuse_rule(claim);
    const std::uint64_t number = parse_number_value(value);
    if (rule.minimum != 0 && number < rule.minimum) {
      refuse("policy.below-minimum", name + " is " + std::to_string(number) + ", at least " +
                                         std::to_string(rule.minimum) + " is accepted");
    }
    if (rule.maximum != 0 && number > rule.maximum) {
      refuse("policy.above-maximum", name + " is " + std::to_string(number) + ", at most " +
                                         std::to_string(rule.maximum) + " is accepted");
    }
  }

  static std::string demand(const ClaimName& claim, const bundle::ClaimRule& rule) {
    if (rule.minimum != 0) return "at least " + std::to_string(rule.minimum);
    if (rule.maximum != 0) return "at most " + std::to_string(rule.maximum);
    return accepted_text(claim, rule);
  }

  const attest::Claims& claims_;
  const TeeClaims& tee_;
  const bundle::Environment& environment_;
  std::vector<Reason> reasons_;
};

std::vector<Reason> no_environment(const attest::Claims& claims,
                                   const bundle::MeasurementPolicy& policy) {
  std::string admitted;
  for (const bundle::Environment& environment : policy.environments) {
    const std::string name = printable(environment.tee);
    if (admitted.find(name) != std::string::npos) continue;
    admitted += (admitted.empty() ? "" : ", ") + name;
  }
  if (admitted.empty()) admitted = "nobody";
  return {{"policy.tee", "the policy admits no environment of type " + printable(claims.tee) +
                             ", but " + admitted}};
}

}  // namespace

std::vector<Reason> judge(const attest::Claims& claims, const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) return {};
  const TeeClaims* tee = find_tee(claims.tee);
  std::optional<std::vector<Reason>> closest;
  for (const bundle::Environment& environment : policy.environments) {
    if (tee == nullptr || environment.tee != claims.tee) continue;
    std::vector<Reason> reasons = Judgement(claims, *tee, environment).reasons();
    if (reasons.empty()) return {};
    if (!closest || reasons.size() < closest->size()) closest = std::move(reasons);
  }
  return closest ? std::move(*closest) : no_environment(claims, policy);
}

}  // namespace sealpack::policy
