// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <variant>

#include "keymgmt/broker/messages.h"
#include "keymgmt/broker/service.h"

// Challenges are remembered by nobody until they are answered: the id carries what the broker has
// to know, under a MAC that only brokers on the same store can make.
namespace sealpack::broker {

struct ChallengeFacts {
  Transport transport = Transport::kNetwork;
  std::uint64_t epoch = 0;
  std::uint64_t expires = 0;  // Unix seconds
};

// With a random nonce. `key`: State::challenge_key.
loader::Challenge make_challenge(Bytes key, const ChallengeRequest& subject,
                                 const ChallengeFacts& facts);

// What a challenge was made with, if this key made it for this bundle and TEE, in this epoch, for
// this transport, and it has not ended. Otherwise the reason, "broker.nonce-…".
std::variant<ChallengeFacts, Reason> check_challenge(Bytes key, const loader::Challenge& challenge,
                                                     const ChallengeRequest& subject,
                                                     const ChallengeFacts& now);

}  // namespace sealpack::broker
