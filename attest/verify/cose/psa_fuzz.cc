// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/verify.h"

// Nobody's key is trusted: whatever it is, it is refused, and with a reason.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sealpack::attest;
  const Evidence evidence{"psa", {{"token", {data, data + size}}}};
  const Endorsements endorsements;
  const Roots roots;
  const Verdict verdict = verify_psa({evidence, endorsements, roots, 1750000000});
  if (verdict.claims || verdict.reasons.empty()) __builtin_trap();
  return 0;
}
