// SPDX-License-Identifier: Apache-2.0
#include "attest/verbs/next_step.h"

#include <algorithm>

#include "attest/fetch/fetch.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kMissingItem[] = {"evidence.item-missing"};
constexpr std::string_view kUnknownKey[] = {"cca.platform.key", "psa.key", "simulated.root",
                                            "tpm.ak-untrusted"};
// Missing, or of another chip, firmware or platform than the evidence.
constexpr std::string_view kMissing[] = {"chain.issuer",
                                         "chain.revocation-unknown",
                                         "dcap.qe-identity-missing",
                                         "dcap.tcb-info-missing",
                                         "snp.chip-id",
                                         "snp.leaf-missing",
                                         "snp.product",
                                         "snp.tcb"};
constexpr std::string_view kOtherTime[] = {"chain.expired",
                                           "chain.not-yet-valid",
                                           "chain.revocation-stale",
                                           "dcap.qe-identity-expired",
                                           "dcap.qe-identity-not-yet-valid",
                                           "dcap.tcb-info-expired",
                                           "dcap.tcb-info-not-yet-valid",
                                           "nitro.future"};
constexpr std::string_view kOtherQuestion[] = {
    "cca.realm.challenge", "dcap.report-data",      "nitro.nonce",     "nvidia.nonce",
    "psa.nonce",           "simulated.report-data", "snp.report-data", "tpm.report-data"};

bool is_any_of(std::span<const Reason> reasons, std::span<const std::string_view> codes) {
  return std::any_of(reasons.begin(), reasons.end(), [&](const Reason& reason) {
    return std::find(codes.begin(), codes.end(), reason.code) != codes.end();
  });
}

}  // namespace

std::string step_to_proof(std::string_view tee, std::span<const Reason> reasons) {
  std::string steps;
  const auto add = [&](std::span<const std::string_view> codes, std::string_view step) {
    if (is_any_of(reasons, codes)) steps += (steps.empty() ? "" : "; ") + std::string(step);
  };
  add(kMissingItem, "--item KIND=FILE gives the item that is missing");
  add(kUnknownKey,
      "--roots roots.toml says whose keys you believe (docs/ATTESTATION.md, 'Roots of a private "
      "installation')");
  add(kMissing, is_fetched(tee)
                    ? "'sealpack attest fetch EVIDENCE --out DIR' gets what proves this chip and "
                      "its firmware; give it with --endorsements DIR"
                    : "--endorsements gives the certificates and lists that are missing");
  add(kOtherTime,
      "of what ended get a new one; for an old sample --now names a time at which all of it held");
  add(kOtherQuestion, "all bytes of that field are compared; nothing is padded or cut");
  return steps;
}

std::string step_to_acceptance(const Claims& claims, std::span<const Reason> reasons) {
  constexpr std::string_view kNotStated[] = {"policy.not-stated"};
  const bool unchecked =
      std::any_of(claims.claims.begin(), claims.claims.end(),
                  [](const Claim& claim) { return claim.name.ends_with("revocation_unchecked"); });
  if (!unchecked || !is_any_of(reasons, kNotStated)) return "";
  return "revocation_unchecked is claimed where no revocation list is supplied: 'sealpack attest "
         "fetch' gets it";
}

}  // namespace sealpack::attest
