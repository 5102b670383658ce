// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "formats/bundle/content.h"
#include "formats/bundle/head.h"
#include "formats/bundle/layout.h"
#include "formats/bundle/release.h"
#include "formats/bundle/tree.h"
#include "keymgmt/crypto/segment_cipher.h"
#include "keymgmt/slots/slots.h"
#include "unpacker/core/trust.h"

// Opening a bundle, in types: UnverifiedBundle -> VerifiedBundle -> OpenBundle. Each step consumes
// the one before, and holding one is the proof of it. No files, threads, clock or prompts in here:
// they are the caller's.
namespace sealpack::unpacker {

// Which rule let a bundle pass, for `verify --explain`.
struct AcceptedSignature {
  std::string role;
  Digest key;
};

// What the vendor claims, read without any proof. For display only.
struct ClaimedBundle {
  bundle::Release release;
  bundle::Content content;
};

// kRefused when the release's policy does not admit opening through a slot of this class by the
// recipient with this digest.
Status check_slot_use(const bundle::Release& release, bundle::SlotClass slot_class,
                      const Digest& recipient);

// kRefused when the release's validity does not include the time of the clock. verify does this
// with the caller's time; a time that is trusted more may come later, with a grant.
Status check_validity(const bundle::Release& release, const Clock& clock);

class VerifiedBundle;

class UnverifiedBundle {
 public:
  // Reads the head. `source` is shared with everything that comes of it.
  static Result<UnverifiedBundle> open(std::shared_ptr<const BlockSource> source);

  const bundle::LoadedHead& head() const { return head_; }
  std::uint64_t file_size() const { return source_->size(); }

  // For inspection of bundles nobody vouches for yet.
  Result<ClaimedBundle> claimed_without_proof() const;

  // Signatures, trust, revocation, validity, counter; then the content manifest against the signed
  // digest, and the size of the bundle. Does not read public files, trees or ciphertext: those are
  // proven as they are read, or by check_everything.
  // kNotAuthentic, kRefused, kMalformed, kUnsupported, kIo.
  Result<VerifiedBundle> verify(const Trust& trust, const Clock& clock) &&;

 private:
  UnverifiedBundle() = default;
  std::shared_ptr<const BlockSource> source_;
  bundle::LoadedHead head_;
};

class OpenBundle;

// A content key that came in a way the release admits. Made by VerifiedBundle::admit alone.
class AdmittedKey {
 public:
  AdmittedKey(AdmittedKey&&) noexcept = default;
  AdmittedKey& operator=(AdmittedKey&&) noexcept = default;

 private:
  friend class VerifiedBundle;
  explicit AdmittedKey(crypto::ContentKey key) : key_(std::move(key)) {}
  crypto::ContentKey key_;
};

class VerifiedBundle {
 public:
  const bundle::Release& release() const { return release_; }
  const Digest& release_digest() const { return release_digest_; }
  const bundle::Content& content() const { return content_; }
  const bundle::Layout& layout() const { return layout_; }
  const std::vector<bundle::Slot>& slots() const { return head_.head.slots; }
  const bundle::LoadedHead& head() const { return head_; }
  const std::vector<AcceptedSignature>& accepted_signatures() const { return accepted_; }
  // Signatures by keys the trust does not know; they count for nothing.
  std::size_t unknown_signature_count() const { return unknown_signatures_; }
  const BlockSource& source() const { return *source_; }

  slots::Binding slot_binding() const;

  // The content key out of a slot of this bundle or of a grant. kRefused when the release's policy
  // does not admit a slot of this class for this recipient (FORMAT.md §8.4), judged before the key
  // is used; kKeyUnavailable when the slot does not open or holds another key than the release
  // names.
  Result<AdmittedKey> admit(const bundle::Slot& slot, const crypto::Decryptor& recipient) const;
  Result<AdmittedKey> admit(const bundle::Slot& slot, const crypto::WrappingKey& recipient) const;

  // The same for a key that came otherwise than by a slot: a grant for one exchange.
  // SlotClass::kAttested: its sender demanded evidence of this environment.
  Result<AdmittedKey> admit_granted(crypto::ContentKey key, bundle::SlotClass how) const;

  OpenBundle open(AdmittedKey key) &&;

 private:
  friend class UnverifiedBundle;
  VerifiedBundle() = default;
  Result<AdmittedKey> check_commitment(crypto::ContentKey key) const;
  std::shared_ptr<const BlockSource> source_;
  bundle::LoadedHead head_;
  bundle::Release release_;
  Digest release_digest_;
  bundle::Content content_;
  bundle::Layout layout_;
  std::vector<AcceptedSignature> accepted_;
  std::size_t unknown_signatures_ = 0;
};

class OpenBundle {
 public:
  const VerifiedBundle& verified() const { return bundle_; }
  const crypto::ContentKey& key() const { return key_; }

 private:
  friend class VerifiedBundle;
  OpenBundle(VerifiedBundle bundle, crypto::ContentKey key)
      : bundle_(std::move(bundle)), key_(std::move(key)) {}
  VerifiedBundle bundle_;
  crypto::ContentKey key_;
};

}  // namespace sealpack::unpacker
