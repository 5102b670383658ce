// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/attest/verify/dcap/mint_dcap.h"
#include "tests/attest/verify/verdict_matchers.h"

namespace sealpack::attest::dcap {

using testing::MintDcap;

// Verdicts over what a MintDcap makes.
inline Verdict verdict_of(const MintDcap& platform, const ByteVector& quote,
                          const Endorsements& endorsements, std::uint32_t minimum = 0,
                          std::uint64_t now = testing::kDcapNow, ChainCache* cache = nullptr) {
  const Evidence evidence{platform.tee(), {{"quote", quote}}};
  const Roots roots = platform.roots();
  return verify({.evidence = evidence,
                 .endorsements = endorsements,
                 .roots = roots,
                 .now = now,
                 .minimum_tcb_evaluation = minimum,
                 .cache = cache});
}
inline Verdict verdict_of(const MintDcap& platform) {
  return verdict_of(platform, platform.quote(), platform.endorsements());
}

// The value of a text claim; "absent".
inline std::string text_of(const Verdict& verdict, std::string_view claim) {
  if (!verdict.claims) return "refused";
  const Claim* found = verdict.claims->find(claim);
  return found == nullptr ? "absent" : std::string(as_text(found->value));
}
inline std::string hex_of(const Verdict& verdict, std::string_view claim) {
  if (!verdict.claims) return "refused";
  const Claim* found = verdict.claims->find(claim);
  return found == nullptr ? "absent" : to_hex(found->value);
}
inline std::vector<std::string> advisories_of(const Verdict& verdict) {
  std::vector<std::string> out;
  for (const Claim& claim : verdict.claims->claims) {
    if (claim.name == "advisories") out.emplace_back(as_text(claim.value));
  }
  return out;
}

}  // namespace sealpack::attest::dcap
