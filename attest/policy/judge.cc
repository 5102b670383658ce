// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/judge.h"

#include <algorithm>
#include <iterator>

#include "attest/policy/check_policy.h"
#include "attest/policy/claim_text.h"

namespace sealpack::policy {
namespace {

using internal::parse_number_value;

bool is_listed(const std::vector<ByteVector>& values, Bytes value) {
  return std::any_of(values.begin(), values.end(), [&](const ByteVector& one) {
    return std::equal(one.begin(), one.end(), value.begin(), value.end());
  });
}

std::string accepted_text(const ClaimName& claim, const bundle::ClaimRule& rule) {
  constexpr std::size_t kShown = 8;
  std::string out;
  std::size_t count = 0;
  for (const auto* values : {&rule.required, &rule.accepted}) {
    for (const ByteVector& value : *values) {
      if (count++ < kShown) out += (out.empty() ? "" : " or ") + value_for_people(claim, value);
    }
  }
  if (count > kShown) out += " or " + std::to_string(count - kShown) + " more";
  return out;
}

// The bits of `value` that `other`, of the same size, lacks; empty for none.
std::string bits_not_in(Bytes other, Bytes value) {
  ByteVector out(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(value[i] & ~unsigned{other[i]});
  }
  const bool none = std::all_of(out.begin(), out.end(), [](auto byte) { return byte == 0; });
  return none ? "" : to_hex(out);
}

bool is_zero(Bytes value) {
  return std::all_of(value.begin(), value.end(), [](auto byte) { return byte == 0; });
}

// The claims of one piece of evidence against one environment of a policy.
class Judge {
 public:
  Judge(const attest::Claims& claims, const TeeClaims& tee, const bundle::Environment& environment)
      : claims_(claims), tee_(tee), environment_(environment) {}

  std::vector<Reason> reasons() && {
    check_rules_known();
    check_claims_known();
    for (const ClaimName& claim : tee_.claims) judge_claim(claim);
    return std::move(reasons_);
  }

 private:
  void refuse(const char* code, std::string text) { reasons_.push_back({code, std::move(text)}); }

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
    const bundle::ClaimRule* rule = internal::find_rule(environment_, claim.name);
    const std::vector<Bytes> values = values_of(claim.name);
    if (rule == nullptr) return judge_unstated(claim, values);
    // Of a rule that says two things only one would be looked at.
    const std::string why = internal::why_not_a_rule(claim, *rule);
    if (!why.empty()) return refuse_rule(claim, why);
    if (!rule->ignore_because.empty()) return judge_ignored(claim);
    if (values.empty()) {
      const bool may_be_empty = claim.is_set() && !claim.mandatory && !claim.never_empty;
      if (may_be_empty && rule->required.empty()) return;
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
    judge_required(claim, *rule, values);
  }

  void refuse_rule(const ClaimName& claim, const std::string& why) {
    const std::string name(claim.name);
    refuse("policy.unknown-rule", "the policy has a rule for " + name +
                                      " that this version cannot apply: " + name + " " + why);
  }

  void judge_required(const ClaimName& claim, const bundle::ClaimRule& rule,
                      const std::vector<Bytes>& values) {
    for (const ByteVector& required : rule.required) {
      const bool made = std::any_of(values.begin(), values.end(), [&](Bytes value) {
        return std::equal(value.begin(), value.end(), required.begin(), required.end());
      });
      if (made) continue;
      refuse("policy.value-missing", std::string(claim.name) + " is never " +
                                         value_for_people(claim, required) +
                                         ", which the policy requires");
    }
  }

  void judge_ignored(const ClaimName& claim) {
    const std::string why = internal::why_not_ignored(claim, environment_);
    if (!why.empty()) refuse("policy.never-ignored", why);
  }

  void judge_unstated(const ClaimName& claim, const std::vector<Bytes>& values) {
    if (internal::is_mandatory(claim, environment_)) {
      refuse("policy.not-stated", "the policy has no rule for " + std::string(claim.name) +
                                      ", which " + environment_.tee + " policies must have");
      return;
    }
    if (claim.mandatory_with_gpu && has_gpu()) {
      refuse("policy.not-stated", "there is a GPU beside the TEE, and the policy has no rule for " +
                                      std::string(claim.name));
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

  bool has_gpu() const {
    return std::any_of(claims_.claims.begin(), claims_.claims.end(),
                       [](const attest::Claim& one) { return one.name.starts_with(kGpuPrefix); });
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
    if (claim.kind == ClaimKind::kBits) judge_bits(claim, rule, value);
    if (claim.kind == ClaimKind::kNumber) judge_number(claim, rule, value);
    if (rule.accepted.empty() && rule.required.empty()) return;
    if (is_listed(rule.accepted, value) || is_listed(rule.required, value)) return;
    refuse("policy.not-accepted", name + " is " + value_for_people(claim, value) +
                                      ", accepted is " + accepted_text(claim, rule));
  }

  void judge_bits(const ClaimName& claim, const bundle::ClaimRule& rule, Bytes value) {
    const std::string is = std::string(claim.name) + " is " + to_hex(value);
    for (const ByteVector& mask : {rule.require_bits, rule.allow_bits}) {
      if (mask.empty() || mask.size() == value.size()) continue;
      return refuse("policy.unknown-value", is + ", the policy speaks of the bits " + to_hex(mask));
    }
    if (!rule.require_bits.empty()) {
      const std::string missing = bits_not_in(value, rule.require_bits);
      if (!missing.empty()) refuse("policy.bits-missing", is + ", without the bits " + missing);
    }
    if (!rule.allow_bits.empty()) {
      const std::string others = bits_not_in(rule.allow_bits, value);
      if (!others.empty()) {
        refuse("policy.bits-not-allowed",
               is + ", with the bits " + others + ", allowed are " + to_hex(rule.allow_bits));
      }
    }
  }

  void judge_number(const ClaimName& claim, const bundle::ClaimRule& rule, Bytes value) {
    const std::string name(claim.name);
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
    if (!rule.require_bits.empty()) return "the bits " + to_hex(rule.require_bits);
    if (!rule.allow_bits.empty()) return "no bits but " + to_hex(rule.allow_bits);
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

// Counted as `policy show` does.
std::string environment_name(std::size_t index) {
  return "environment " + std::to_string(index + 1) + ": ";
}

}  // namespace

Judgement judge_all(const attest::Claims& claims, const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) return {};
  const TeeClaims* tee = find_tee(claims.tee);
  std::vector<std::vector<Reason>> refusals;
  for (std::size_t i = 0; i < policy.environments.size(); ++i) {
    const bundle::Environment& environment = policy.environments[i];
    if (tee == nullptr || environment.tee != claims.tee) continue;
    std::vector<Reason> reasons = Judge(claims, *tee, environment).reasons();
    if (reasons.empty()) return {};
    if (policy.environments.size() > 1) {
      for (Reason& one : reasons) one.text = environment_name(i) + one.text;
    }
    refusals.push_back(std::move(reasons));
  }
  if (refusals.empty()) return {no_environment(claims, policy), {}};
  const auto closest =
      std::min_element(refusals.begin(), refusals.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  Judgement out{std::move(*closest), {}};
  refusals.erase(closest);
  for (std::vector<Reason>& reasons : refusals) {
    const std::size_t room = kMaxOtherReasons - out.others.size();
    reasons.resize(std::min(room, reasons.size()));
    std::move(reasons.begin(), reasons.end(), std::back_inserter(out.others));
  }
  return out;
}

std::vector<Reason> judge(const attest::Claims& claims, const bundle::MeasurementPolicy& policy) {
  return judge_all(claims, policy).reasons;
}

}  // namespace sealpack::policy
