// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "attest/verify/cose/claim_set.h"
#include "attest/verify/cose/cose_sign1.h"
#include "attest/verify/verify.h"

namespace sealpack::attest {

// What proving a token is, whichever: the evidence is that one item; while it is judged, claims and
// reasons are collected; in the end there is a verdict of the one or the other.
class TokenVerifier {
 public:
  // `kind` names the item.
  Verdict run(std::string_view kind);

 protected:
  TokenVerifier(const VerifyInput& input, std::string tee)
      : input_(input), claims_{std::move(tee), {}, {}} {}
  ~TokenVerifier() = default;

  virtual void judge(Bytes bytes) = 0;
  void refuse(std::string code, std::string text);
  // The claims in a token, each to be refused as "FAMILY.NAME"; nullopt and `malformed` where they
  // are no map.
  std::optional<ClaimSet> claims_in(const CoseSign1& token, const std::string& family,
                                    const char* malformed);

  const VerifyInput& input_;
  std::vector<Reason> reasons_;
  Claims claims_;
};

}  // namespace sealpack::attest
