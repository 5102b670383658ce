// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "keymgmt/broker/store.h"
#include "keymgmt/crypto/signature.h"

// A signed state of the log as text that other programs check too: C2SP tlog-checkpoint in a
// signed note (c2sp.org/tlog-checkpoint, c2sp.org/signed-note), Ed25519.
namespace sealpack::broker {

struct Checkpoint {
  std::string origin;
  LogHead head;
  std::string text;  // the note with its signature, as it is published
};

// kUnsupported for a signer that is not Ed25519.
Result<Checkpoint> sign_checkpoint(const std::string& origin, const LogHead& head,
                                   const crypto::Signer& signer);
// Verifies, then parses. kMalformed; kNotAuthentic when none of `keys` signed it. Signatures by
// others (witnesses) are allowed and count for nothing.
Result<Checkpoint> verify_checkpoint(std::string_view text,
                                     std::span<const crypto::VerifyingKey> keys);

// The note's name for the key, to give to others: "ORIGIN+HASH+BASE64".
Result<std::string> verifier_key(const std::string& origin, const crypto::VerifyingKey& key);

}  // namespace sealpack::broker
