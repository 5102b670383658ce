// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/reason.h"
#include "runtime-loader/core/grant.h"

// What clients and a broker say to one another, besides the KeyRequest and KeyGrant of the loader
// (docs/PROTOCOL.md). The canonical protobuf subset of FORMAT.md §2; all parsers are strict:
// kMalformed, kLimit, kUnsupported.
namespace sealpack::broker {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::uint64_t kMaxChallengeSize = 1024;  // of request and reply
inline constexpr std::uint64_t kMaxRequestSize = 512U << 10U;
inline constexpr std::uint64_t kMaxRefusalSize = 80U << 10U;
inline constexpr std::size_t kMaxReasons = 64;
inline constexpr std::uint64_t kMaxReasonCode = 64;    // bytes, of a-z, 0-9, '-' and '.'
inline constexpr std::uint64_t kMaxReasonText = 1024;  // bytes

// POST /v1/challenge
struct ChallengeRequest {
  Digest authority;
  Digest content;
  Digest release;
  std::string tee;  // as in policies
  bool operator==(const ChallengeRequest&) const = default;
};
// Its answer. The nonce is good for one release request for the same bundle and TEE.
struct ChallengeReply {
  loader::Challenge challenge;
  std::uint64_t expires = 0;  // Unix seconds by the broker's clock
  bool operator==(const ChallengeReply&) const = default;
};

// POST /v1/release; answered with a KeyGrant or a Refusal.
struct ReleaseRequest {
  ByteVector key_request;   // a serialized loader::KeyRequest with its evidence
  ByteVector endorsements;  // a serialized endorsement bundle, may be empty: the broker's
                            // own come on top
  bool operator==(const ReleaseRequest&) const = default;
};

// Why there is no grant. What depends on the release's policy, which everybody can read in the
// bundle, is told; what the broker's own rules say is one code, "broker.policy".
struct Refusal {
  ErrorCode code = ErrorCode::kRefused;  // kRefused, kTryAgain, kLimit, kMalformed, kUnsupported …
  std::vector<Reason> reasons;           // at least one
  std::uint64_t log_index = 0;           // of the release log, for the operator; 0: not logged
  std::uint32_t retry_after = 0;         // seconds, with kTryAgain
  bool operator==(const Refusal&) const = default;
};

ByteVector serialize(const ChallengeRequest& message);
ByteVector serialize(const ChallengeReply& message);
ByteVector serialize(const ReleaseRequest& message);
ByteVector serialize(const Refusal& message);
Result<ChallengeRequest> parse_challenge_request(Bytes bytes);
Result<ChallengeReply> parse_challenge_reply(Bytes bytes);
Result<ReleaseRequest> parse_release_request(Bytes bytes);
Result<Refusal> parse_refusal(Bytes bytes);

}  // namespace sealpack::broker
