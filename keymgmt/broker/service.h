// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "attest/verify/chain_cache.h"
#include "attest/verify/verify.h"
#include "keymgmt/broker/clock_guard.h"
#include "keymgmt/broker/messages.h"
#include "keymgmt/broker/store.h"

// The broker without a network: answers the protocol's messages, whatever carried them.
namespace sealpack::broker {

// How a message came; decides how long a challenge lives and is written into the log.
enum class Transport : std::uint8_t { kNetwork = 1, kFiles = 2 };

struct Answer {
  enum class Kind { kChallenge, kGrant, kRefusal };
  Kind kind = Kind::kRefusal;
  ErrorCode code = ErrorCode::kRefused;  // of a refusal
  ByteVector body;                       // ChallengeReply, KeyGrant or Refusal, serialized
};

// Each must be listed in the store (State::keys) for its use; after a rotation there are several,
// the newest first. Used by several threads at once.
struct ServiceKeys {
  std::vector<std::unique_ptr<crypto::Decryptor>> recipients;  // the bundles' recipient "broker":
                                                               // file, PKCS#11 token or TPM
  std::vector<std::unique_ptr<crypto::Signer>> grants;         // a TEE pins one of them
};

struct ServiceOptions {
  // Simulated evidence may be believed, under the roots that a release's policy names.
  bool lab = false;
  std::uint32_t network_lifetime = 60;          // of a challenge, seconds, at most 120
  std::uint32_t file_lifetime = 7 * 24 * 3600;  // of one that travels in files
  std::uint32_t minimum_tcb_evaluation = 0;
  attest::Roots roots;
  attest::Endorsements endorsements;
  std::function<std::uint64_t()> clock;  // Unix seconds
  // Seconds by a clock that nobody sets, which shows when the other one jumps.
  std::function<std::uint64_t()> uptime = seconds_since_boot;
  unsigned workers = 0;      // threads that verify; 0: one a core
  std::size_t queue = 4096;  // requests that wait; more are told to try again
  // What went wrong inside (the store does not answer), for the operator's log; from any thread.
  std::function<void(const Error&)> report;
};

// Since the service started.
struct ServiceStatistics {
  std::uint64_t challenges = 0;
  std::uint64_t grants = 0;
  std::map<std::string, std::uint64_t> refusals;  // by the code of the first reason
  std::uint64_t unlogged = 0;                     // refusals that were not logged (LogAllowance)
  std::uint64_t commits = 0;                      // transactions
  std::size_t waiting = 0;                        // requests, now
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
  virtual ServiceStatistics statistics() const = 0;
  // Why nobody gets a key now, for health checks: the store does not answer, is not reconciled, or
  // the clock is wrong.
  virtual std::optional<Reason> why_unwell() = 0;
  // Answers what is under way, then nothing more: later requests are told to try again.
  virtual void stop() = 0;
};

}  // namespace sealpack::broker
