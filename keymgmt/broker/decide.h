// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/challenge.h"
#include "keymgmt/broker/rules.h"

// The release decision for one request, in two steps: is it about a challenge of ours, and does
// what it proves earn the key. Neither writes anything.
namespace sealpack::broker {

// A request about a challenge that is ours and has not ended.
struct OpenedRequest {
  loader::KeyRequest request;
  ByteVector endorsements;
  ChallengeFacts challenge;
};
std::variant<OpenedRequest, Refusal> open_request(const Rules& rules, Bytes bytes,
                                                  Transport transport, std::uint64_t now);

struct Decided {
  Decision decision;
  Refusal refusal;   // where there is no grant
  ByteVector grant;  // a serialized KeyGrant; it leaves when the decision is durable
};

struct Judges {
  const ServiceKeys& keys;
  const ServiceOptions& options;
  std::shared_ptr<const attest::Endorsements> endorsements;
  attest::ChainCache& cache;
};
// A Refusal: nothing was decided, for a device of the broker's own is away; try again.
std::variant<Decided, Refusal> decide(const Rules& rules, const Judges& judges,
                                      const OpenedRequest& opened, std::uint64_t now);

// The subject of a request's challenge.
ChallengeRequest subject_of(const loader::GrantTerms& terms);
// A refusal with these reasons, shortened to what a Refusal holds.
Refusal refusal_of(ErrorCode code, std::vector<Reason> reasons);
// One for what passes: kTryAgain, in so many seconds.
inline constexpr std::uint32_t kBusySeconds = 1;
inline constexpr std::uint32_t kDeviceSeconds = 5;     // until a token or TPM may be back
inline constexpr std::uint32_t kOperatorSeconds = 60;  // until an operator may have done his part
Refusal passing(Reason reason, std::uint32_t seconds);

}  // namespace sealpack::broker
