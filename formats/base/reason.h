// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sealpack {

// Why something is refused, where all reasons are given and not the first alone. The code is stable
// ("snp.signature", "chain.expired", "policy.debug"); docs/ATTESTATION.md lists all of them.
struct Reason {
  std::string code;
  std::string text;  // for people: names the thing, what it is and what it should be
  bool operator==(const Reason&) const = default;
};

}  // namespace sealpack
