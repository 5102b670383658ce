// SPDX-License-Identifier: Apache-2.0
#include "packer/verbs/unlock.h"

#include "packer/verbs/recipient_list.h"

namespace sealpack::packer {
namespace {

// Accepts what one of these keys has signed, for the authority that the bundle claims: whose
// product it is was decided when it was built, and changing the release does not change it.
unpacker::Trust trust_in(const Signers& signers, const Digest& authority) {
  unpacker::Trust trust;
  trust.authorities.push_back(authority);
  unpacker::SignerRule rule;
  rule.role = "signer";
  for (const auto& signer : signers) rule.keys.push_back(signer->public_key());
  trust.signers.push_back(std::move(rule));
  return trust;
}

}  // namespace

Result<BundleToChange> load_for_change(std::shared_ptr<const BlockSource> source,
                                       const unpacker::TrustOptions& trust,
                                       const Signers& signers) {
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  auto claimed = TRY(unverified.claimed_without_proof());
  BundleToChange bundle;
  bundle.head = unverified.head();
  if (!trust.given() && signers.empty()) {
    bundle.release = std::move(claimed.release);
    bundle.content = std::move(claimed.content);
    return bundle;
  }
  // A moment at which the release is valid, whatever it is now.
  const unpacker::Clock clock{claimed.release.not_before};
  unpacker::Trust rules;
  if (trust.given()) {
    rules = TRY(unpacker::load_trust_options(trust)).trust;
    bundle.floor_judged = rules.counter_floor != 0;
    bundle.proof = Proof::kTrust;
  } else {
    rules = trust_in(signers, claimed.content.authority);
    bundle.proof = Proof::kSigners;
  }
  auto verified = std::move(unverified).verify(rules, clock);
  if (!verified.ok() && bundle.proof == Proof::kSigners) {
    return std::move(verified).take_error().with_hint(
        "a release signed by others is changed only under --trust");
  }
  bundle.verified = TRY(std::move(verified));
  bundle.release = bundle.verified->release();
  bundle.content = bundle.verified->content();
  return bundle;
}

Result<crypto::ContentKey> unlock(const BundleToChange& bundle, const unpacker::KeyOptions& keys) {
  return unpacker::content_key_without_proof({bundle.release, bundle.content},
                                             bundle.head.head.slots, keys);
}

Result<Recipient> named_recipient(const std::string& name,
                                  keystore::PassphraseSource& passphrases) {
  constexpr std::string_view kPassphrase = "passphrase:";
  if (!name.starts_with(kPassphrase)) return load_recipient(name, passphrases);
  const std::string file = name.substr(kPassphrase.size());
  if (file.empty()) {
    return Error(ErrorCode::kUsage, "a new passphrase is read from a file: passphrase:FILE");
  }
  return load_passphrase_recipient(file);
}

std::unique_ptr<keystore::PassphraseSource> passphrases_of(const unpacker::KeyOptions& keys) {
  if (!keys.passphrase_file.empty()) {
    return std::make_unique<keystore::FilePassphrase>(keys.passphrase_file);
  }
  return std::make_unique<keystore::TerminalPassphrase>();
}

}  // namespace sealpack::packer
