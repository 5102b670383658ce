// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/cli/terminal.h"
#include "keymgmt/crypto/private_key.h"
#include "runtime-loader/core/grant.h"
#include "runtime-loader/verbs/run_options.h"
#include "unpacker/core/bundle.h"

// Where `run` gets the key for its TEE from. The host carries messages and learns nothing, unless
// the key is its own.
namespace sealpack::loader {

class KeyProvider {
 public:
  virtual ~KeyProvider() = default;
  // Starts an exchange.
  virtual Result<Challenge> challenge() = 0;
  virtual Result<KeyGrant> grant(const KeyRequest& request) = 0;
};

// By the options: the host's own keys, a broker over HTTPS, or one over files. `bundle` and
// `terminal` must outlive it.
Result<std::unique_ptr<KeyProvider>> make_key_provider(const RunOptions& options,
                                                       const unpacker::VerifiedBundle& bundle,
                                                       cli::Terminal& terminal);

// The broker's key that is pinned; nothing without a broker. kUsage for a key of another role.
Result<std::optional<crypto::VerifyingKey>> pinned_broker(const BrokerOptions& options);

// The key of --evidence-key; nothing without one.
Result<std::optional<crypto::PrivateKey>> load_evidence_key(const RunOptions& options);

}  // namespace sealpack::loader
