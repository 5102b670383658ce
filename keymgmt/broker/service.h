// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "attest/verify/chain_cache.h"
#include "attest/verify/verify.h"
#include "keymgmt/broker/messages.h"
#include "keymgmt/broker/store.h"

// The broker without a network: answers the protocol's messages, whatever carried them.
namespace sealpack::broker {

// How a message came; decides how long a challenge lives and is written into the log.
enum class Transport : std::uint8_t { kOnline = 1, kFiles = 2 };

struct Answer {
  enum class Kind { kChallenge, kGrant, kRefusal };
  Kind kind = Kind::kRefusal;
  ErrorCode code = ErrorCode::kRefused;  // of a refusal
  ByteVector body;                       // ChallengeReply, KeyGrant or Refusal, serialized
};

struct ServiceKeys {
  std::unique_ptr<crypto::Decryptor> recipient;  // the bundles' recipient "broker": file, PKCS#11
                                                 // token or TPM
  std::unique_ptr<crypto::Signer> grants;        // signs grants; TEEs pin it
  std::unique_ptr<crypto::Signer> log;           // signs checkpoints
};

struct ServiceOptions {
  bool lab = false;  // simulated evidence may be believed, where a policy names its root
  std::uint32_t online_lifetime = 60;           // of a challenge, seconds, at most 120
  std::uint32_t file_lifetime = 7 * 24 * 3600;  // of one that travels in files
  std::uint32_t minimum_tcb_evaluation = 0;
  attest::Roots roots;
  attest::Endorsements endorsements;
  std::function<std::uint64_t()> clock;  // Unix seconds
};

// For several threads.
class Service {
 public:
  static Result<std::unique_ptr<Service>> create(std::shared_ptr<Store> store, ServiceKeys keys,
                                                 ServiceOptions options);
  virtual ~Service() = default;

  // Cheap: no evidence is verified.
  virtual Answer challenge(Bytes request, Transport transport) = 0;
  // `done` is called once, from any thread, when what it answers is durable: the nonce is spent and
  // the log entry written before a grant leaves. It may be called before this returns.
  virtual void release(ByteVector request, Transport transport,
                       std::function<void(Answer)> done) = 0;
  // New endorsements, from the next request on.
  virtual void set_endorsements(attest::Endorsements endorsements) = 0;
  // Answers what is under way, then nothing more.
  virtual void stop() = 0;
};

}  // namespace sealpack::broker
