// SPDX-License-Identifier: Apache-2.0
#include "attest/policy/relaxations.h"

#include <algorithm>

#include "attest/policy/claim_text.h"

namespace sealpack::policy {
namespace {

// Values that a careful policy accepts, of the claims for which any policy would want the same.
struct Careful {
  std::string_view claim;
  std::string_view values;  // as value_for_people has them, between spaces
  std::string_view what;
};
constexpr Careful kCareful[] = {
    {"debug", " false ", "environments that can be debugged"},
    {"gpu_mode", " 'single-gpu' 'multi-gpu' 'protected-pcie' ", "GPUs in another mode"},
    {"hcl_console_enabled", " false ", "a console into the virtual machine"},
    {"migratable", " false ", "migration to other machines"},
    {"migrate_ma", " false ", "migration to other machines"},
    {"mode", " 'single-gpu' 'multi-gpu' 'protected-pcie' ", "GPUs in another mode"},
    {"platform_lifecycle", " 'secured' ", "platforms that are not secured"},
    {"secure_boot", " true ", "boot without verification"},
    {"security_lifecycle", " 'secured' ", "devices that are not secured"},
    {"sept_ve_disable", " true ", "a host that can inject exceptions on memory it takes away"},
    {"tcb_status", " 'UpToDate' ", "platforms whose firmware needs care"},
    {"vmpl", " 0 ", "software below the most privileged level"},
};

std::string lax_values(const ClaimName& claim, const bundle::ClaimRule& rule,
                       std::string_view careful) {
  std::string lax;
  for (const ByteVector& value : rule.accepted) {
    const std::string text = value_for_people(claim, value);
    if (careful.find(" " + text + " ") != careful.npos) continue;
    lax += (lax.empty() ? "" : " or ") + text;
  }
  return lax;
}

std::string relaxation(const ClaimName& claim, const bundle::ClaimRule& rule) {
  if (!rule.ignore_because.empty()) {
    return rule.claim + " may be anything, because " + printable(rule.ignore_because);
  }
  if (claim.bad_news && !rule.accepted.empty()) {
    return rule.claim + " may say " + lax_values(claim, rule, "");
  }
  for (const Careful& careful : kCareful) {
    if (careful.claim != rule.claim) continue;
    const std::string lax = lax_values(claim, rule, careful.values);
    if (lax.empty()) return {};
    return rule.claim + " may be " + lax + ": admits " + std::string(careful.what);
  }
  return {};
}

}  // namespace

std::vector<std::string> relaxations(const bundle::MeasurementPolicy& policy) {
  if (!policy.requires_attestation()) {
    return {"nothing is attested, because " + printable(policy.anyone_because)};
  }
  std::vector<std::string> lines;
  for (const bundle::Environment& environment : policy.environments) {
    const TeeClaims* tee = find_tee(environment.tee);
    const std::string before = printable(environment.tee).substr(1, environment.tee.size()) + ": ";
    if (environment.tee == "simulated") {
      lines.push_back(before + "SIMULATED environments protect nothing");
    }
    for (const bundle::ClaimRule& rule : environment.rules) {
      const ClaimName* claim = tee == nullptr ? nullptr : find_claim(*tee, rule.claim);
      if (claim == nullptr) continue;  // accepts nothing
      const std::string line = relaxation(*claim, rule);
      if (!line.empty()) lines.push_back(before + line);
    }
  }
  return lines;
}

}  // namespace sealpack::policy
