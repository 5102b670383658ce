// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/keystore/passphrase.h"
#include "packer/core/release_writer.h"
#include "unpacker/verbs/opening.h"

// A bundle that the caller is about to change, and what is known of it.
namespace sealpack::packer {

// How much of it is proven.
enum class Proof {
  kTrust,    // it verifies under --trust
  kSigners,  // it carries a valid signature by one of the caller's own keys
  kNone,     // nobody vouches for it
};

struct BundleToChange {
  bundle::LoadedHead head;
  bundle::Release release;
  bundle::Content content;
  Proof proof = Proof::kNone;
  bool floor_judged = false;  // the trust knows a counter that older releases do not reach
  std::optional<unpacker::VerifiedBundle> verified;  // unless kNone
  slots::Binding binding() const {
    return {content.uuid, release.content_digest, content.authority};
  }
};

// Reads a bundle and proves what can be proven. Validity limits are not judged: renewing an expired
// release is what changing it is for. Everything else that trust says counts. kNotAuthentic,
// kRefused.
Result<BundleToChange> load_for_change(std::shared_ptr<const BlockSource> source,
                                       const unpacker::TrustOptions& trust, const Signers& signers);

// The content key of a bundle, by the caller's keys.
Result<crypto::ContentKey> unlock(const BundleToChange& bundle, const unpacker::KeyOptions& keys);

// A recipient named on the command line: NAME.pub, the .key of a symmetric key, or passphrase:FILE.
Result<Recipient> named_recipient(const std::string& name, keystore::PassphraseSource& passphrases);

std::unique_ptr<keystore::PassphraseSource> passphrases_of(const unpacker::KeyOptions& keys);

}  // namespace sealpack::packer
