// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/relaxations.h"

#include "attest/policy/careful_values.h"
#include "attest/policy/claim_text.h"

namespace sealpack::policy {
namespace {

// The values that the rule accepts and a careful one would not; all where nothing is careful.
std::string lax_values(const ClaimName& claim, const bundle::ClaimRule& rule,
                       const CarefulValues* careful) {
  std::string lax;
  for (const auto* values : {&rule.required, &rule.accepted}) {
    for (const ByteVector& value : *values) {
      if (careful != nullptr && is_careful(*careful, claim, value)) continue;
      lax += (lax.empty() ? "" : " or ") + value_for_people(claim, value);
    }
  }
  // Of numbers, careful is one: a bound lets others in.
  if (rule.minimum != 0) lax = std::to_string(rule.minimum) + " or more";
  if (rule.maximum != 0) lax = "up to " + std::to_string(rule.maximum);
  return lax;
}

std::string relaxation(const ClaimName& claim, const bundle::ClaimRule& rule) {
  if (!rule.ignore_because.empty()) {
    return rule.claim + " may be anything, because " + printable(rule.ignore_because);
  }
  if (claim.bad_news) return rule.claim + " may say " + lax_values(claim, rule, nullptr);
  const CarefulValues* careful = find_careful_values(rule.claim);
  if (careful == nullptr) return {};
  const std::string lax = lax_values(claim, rule, careful);
  if (lax.empty()) return {};
  return rule.claim + " may be " + lax + ": admits " + std::string(careful->others);
}

}  // namespace

std::vector<std::string> relaxations(const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) {
    return {"nothing is attested, because " + printable(policy.anyone_because)};
  }
  std::vector<std::string> lines;
  std::size_t number = 0;
  for (const bundle::Environment& environment : policy.environments) {
    const TeeClaims* tee = find_tee(environment.tee);
    ++number;
    if (tee == nullptr) continue;  // accepts nobody
    std::string before = environment.tee + ": ";
    if (policy.environments.size() > 1) before = std::to_string(number) + ": " + before;
    if (environment.tee == "simulated") {
      lines.push_back(before + "SIMULATED environments protect nothing");
    }
    for (const bundle::ClaimRule& rule : environment.rules) {
      const ClaimName* claim = find_claim(*tee, rule.claim);
      if (claim == nullptr) continue;  // accepts nothing
      const std::string line = relaxation(*claim, rule);
      if (!line.empty()) lines.push_back(before + line);
    }
  }
  return lines;
}

}  // namespace sealpack::policy
