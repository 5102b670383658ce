// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "keymgmt/broker/store.h"
#include "keymgmt/keystore/key_ref.h"
#include "keymgmt/verbs/broker_config.h"
#include "keymgmt/verbs/lasting_key.h"

// The keys of a broker: how each use is called, and how one is opened, made or taken.
namespace sealpack::broker {

struct NamedUse {
  const char* name;
  KeyUse use;
  keystore::Role role;
  const char* file;  // without .key and .pub
};
inline constexpr NamedUse kRecipientKeys{"recipient", KeyUse::kRecipient, keystore::Role::kBroker,
                                         "broker"};
inline constexpr NamedUse kGrantKeys{"grants", KeyUse::kGrants, keystore::Role::kGrantSigner,
                                     "grants"};
inline constexpr NamedUse kLogKeys{"log", KeyUse::kLog, keystore::Role::kLog, "log"};
inline constexpr std::array<NamedUse, 3> kUses = {kRecipientKeys, kGrantKeys, kLogKeys};

// A broker starts unattended: passphrases and PINs come from the configuration's passphrase_file
// or from a URI's pin-source, never from a prompt. Keys in devices last (lasting_key.h).
Result<std::unique_ptr<crypto::Decryptor>> open_recipient(const BrokerConfig& config,
                                                          const std::string& key_ref,
                                                          const KeyReport& report);
Result<std::unique_ptr<crypto::Signer>> open_signer_of(const BrokerConfig& config,
                                                       const NamedUse& use,
                                                       const std::string& key_ref,
                                                       const KeyReport& report);

// A key that the configuration is to name and the store to list.
struct NewKey {
  std::string key_ref;
  ByteVector spki;
};
// A pair of files in the folder, NAME.key and NAME.pub.
Result<NewKey> make_key(const BrokerConfig& config, const NamedUse& use, const std::string& name);
// One that is there, in a file, a token or a TPM; its public half goes into the folder, NAME.pub.
// It is tried out: kUsage for a key of another role, kUnsupported for one of a type that the use
// does not have.
Result<NewKey> take_key(const BrokerConfig& config, const NamedUse& use, const std::string& name,
                        const std::string& key_ref);

// The KEYREFs of a use, the newest first.
std::vector<std::string> key_refs(const BrokerConfig& config, KeyUse use);
// The public half (SPKI) of a key that the configuration names.
Result<ByteVector> public_half(const BrokerConfig& config, const NamedUse& use,
                               const std::string& key_ref);
// Names it before those of its use that the configuration has; a log has one.
void put_first(BrokerConfig& config, KeyUse use, const std::string& key_ref);
// Names it no longer; a log keeps its one.
void drop_key(BrokerConfig& config, KeyUse use, const std::string& key_ref);

}  // namespace sealpack::broker
