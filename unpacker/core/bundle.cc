// SPDX-License-Identifier: Apache-2.0
#include "unpacker/core/bundle.h"

#include <algorithm>

#include "formats/base/utc_text.h"
#include "formats/bundle/labels.h"
#include "keymgmt/crypto/dsse.h"

namespace sealpack::unpacker {
namespace {

template <typename List>
bool contains(const List& list, const Digest& digest) {
  return std::find(list.begin(), list.end(), digest) != list.end();
}

// The payload type carries the format number and is judged before anything else.
Status check_payload_type(const std::string& type) {
  if (type == bundle::kReleaseType) return done();
  const std::string_view stem = bundle::kReleaseType.substr(0, bundle::kReleaseType.size() - 1);
  if (type.starts_with(stem)) {
    return Error(ErrorCode::kUnsupported,
                 "the release has format " + printable(type.substr(stem.size())) +
                     ", this sealpack reads format " + std::to_string(bundle::kFormat))
        .with_hint("it needs a newer sealpack");
  }
  return Error(ErrorCode::kMalformed, "payload type " + printable(type) + " is not a release");
}

const crypto::VerifyingKey* find_key(const SignerRule& rule, const Digest& digest) {
  for (const crypto::VerifyingKey& key : rule.keys) {
    if (key.digest() == digest) return &key;
  }
  return nullptr;
}

struct SignatureCheck {
  std::vector<AcceptedSignature> accepted;
  std::size_t unknown = 0;
};

// Adds what one signature proves. A signature by a known key that does not hold is not skipped: it
// is a sign of tampering.
Status check_signature(const bundle::Signature& signature, Bytes message, const Trust& trust,
                       SignatureCheck& check) {
  bool known = false;
  for (const SignerRule& rule : trust.signers) {
    const crypto::VerifyingKey* key = find_key(rule, signature.key);
    if (key == nullptr) continue;
    known = true;
    TRY(key->verify(message, signature.bytes)
            .within("signature by " + rule.role + " " + to_hex(signature.key.bytes).substr(0, 16)));
    if (!contains(trust.revocations.keys, signature.key)) {
      check.accepted.push_back({rule.role, signature.key});
    }
  }
  if (!known) ++check.unknown;
  return done();
}

// One key must not fill two roles, nor stand twice in one: thresholds count people.
Status check_trust(const Trust& trust) {
  std::vector<Digest> seen;
  for (const SignerRule& rule : trust.signers) {
    if (rule.threshold == 0 || rule.threshold > rule.keys.size()) {
      return Error(ErrorCode::kUsage, "trust: role " + rule.role + " wants " +
                                          std::to_string(rule.threshold) + " signatures of " +
                                          std::to_string(rule.keys.size()) + " keys");
    }
    for (const crypto::VerifyingKey& key : rule.keys) {
      if (contains(seen, key.digest())) {
        return Error(ErrorCode::kUsage, "trust: one key is listed twice");
      }
      seen.push_back(key.digest());
    }
  }
  if ((trust.counter_floor != 0 || trust.floor_release) && !trust.product) {
    return Error(ErrorCode::kUsage,
                 "trust: a counter floor without a product; every product counts "
                 "for itself");
  }
  if (trust.signers.empty() || trust.authorities.empty()) {
    return Error(ErrorCode::kUsage, "trust names no key, so nothing can be trusted");
  }
  return done();
}

Result<SignatureCheck> check_signatures(const bundle::Envelope& envelope, const Trust& trust) {
  TRY(check_trust(trust));
  const ByteVector message = crypto::dsse_pae(envelope.payload_type, envelope.payload);
  SignatureCheck check;
  for (const bundle::Signature& signature : envelope.signatures) {
    TRY(check_signature(signature, message, trust, check));
  }
  for (const SignerRule& rule : trust.signers) {
    // By key, not by role: two rules may share a role, and one signature must not meet both.
    const auto count =
        std::count_if(check.accepted.begin(), check.accepted.end(),
                      [&](const auto& a) { return find_key(rule, a.key) != nullptr; });
    if (static_cast<std::uint64_t>(count) >= rule.threshold) continue;
    return Error(ErrorCode::kNotAuthentic, "the release has " + std::to_string(count) +
                                               " valid signature(s) by a trusted " + rule.role +
                                               ", " + std::to_string(rule.threshold) + " needed")
        .with_hint(check.unknown != 0
                       ? "it has signatures by keys that the trust does not list: is it of another "
                         "vendor, or signed by publishers who belong into a trust.toml?"
                       : "ask the vendor for the signature that is missing");
  }
  return check;
}

// Collects every reason to refuse, so that one run tells them all.
class Refusals {
 public:
  void add(const std::string& reason) { reasons_ += (reasons_.empty() ? "" : "; ") + reason; }
  Status to_status() const {
    if (reasons_.empty()) return done();
    return Error(ErrorCode::kRefused, reasons_);
  }

 private:
  std::string reasons_;
};

void add_validity(const bundle::Release& release, const Clock& clock, Refusals& refusals) {
  if (release.not_before == 0 && release.not_after == 0) return;
  if (!clock.unix_seconds) {
    return refusals.add("the release has validity limits and there is no time to judge them by");
  }
  const std::uint64_t now = *clock.unix_seconds;
  if (now < release.not_before) {
    refusals.add("not valid before " + utc_text(release.not_before) + ", it is " + utc_text(now));
  }
  if (release.not_after != 0 && now > release.not_after) {
    refusals.add("expired at " + utc_text(release.not_after) + ", it is " + utc_text(now));
  }
}

void check_counter(const bundle::Release& release, const Digest& digest, const Trust& trust,
                   Refusals& refusals) {
  if (release.counter < trust.counter_floor) {
    refusals.add("counter " + std::to_string(release.counter) + " is below the floor " +
                 std::to_string(trust.counter_floor) + ": an older release");
  }
  if (release.counter == trust.counter_floor && trust.floor_release &&
      *trust.floor_release != digest) {
    refusals.add("another release with counter " + std::to_string(release.counter) +
                 " was accepted before");
  }
}

Status check_release(const bundle::Release& release, const Digest& digest, const Trust& trust,
                     const Clock& clock) {
  if (release.min_loader > bundle::kLoaderLevel) {
    return Error(ErrorCode::kUnsupported,
                 "the release needs loader level " + std::to_string(release.min_loader) +
                     ", this one has " + std::to_string(bundle::kLoaderLevel))
        .with_hint("it needs a newer sealpack");
  }
  Refusals refusals;
  if (trust.product && release.product != *trust.product) {
    refusals.add("product is " + printable(release.product) + ", trusted is " +
                 printable(*trust.product));
  }
  if (trust.content && release.content_digest != *trust.content) {
    refusals.add("the content is not the pinned one");
  }
  if (contains(trust.revocations.contents, release.content_digest)) {
    refusals.add("the content is revoked");
  }
  if (contains(trust.revocations.releases, digest)) refusals.add("the release is revoked");
  check_counter(release, digest, trust, refusals);
  add_validity(release, clock, refusals);
  return refusals.to_status();
}

// Reads the content manifest that the release names, compares its digest, then parses that buffer.
Result<bundle::Content> load_content(const BlockSource& source, const bundle::LoadedHead& head,
                                     const bundle::Release& release) {
  const std::uint64_t offset = bundle::content_offset(head.layout.head_size);
  if (source.size() < offset || source.size() - offset < release.content_size) {
    return Error(ErrorCode::kMalformed, "the bundle ends inside its content manifest");
  }
  ByteVector bytes(static_cast<std::size_t>(release.content_size));
  TRY(source.read_at(offset, bytes));
  if (crypto::sha256(bytes) != release.content_digest) {
    return Error(ErrorCode::kNotAuthentic, "the content manifest is not the one that was signed");
  }
  bundle::Content content = TRY(bundle::parse_content(bytes));
  if (content.head_size != head.layout.head_size) {
    return Error(ErrorCode::kMalformed, "the head does not have the size that was signed");
  }
  if (content.product != release.product) {
    return Error(ErrorCode::kMalformed, "content and release name different products");
  }
  return content;
}

Result<bundle::Layout> check_layout(const BlockSource& source, const bundle::Content& content,
                                    const bundle::Release& release) {
  bundle::Layout layout = TRY(bundle::layout_of(content, release.content_size));
  if (source.size() != layout.file_size) {
    return Error(ErrorCode::kMalformed, "the bundle has " + std::to_string(source.size()) +
                                            " bytes, its manifest describes " +
                                            std::to_string(layout.file_size))
        .with_hint("the file was cut short or added to; fetch it again");
  }
  return layout;
}

}  // namespace

Status check_validity(const bundle::Release& release, const Clock& clock) {
  Refusals refusals;
  add_validity(release, clock, refusals);
  return refusals.to_status();
}

Status check_slot_use(const bundle::Release& release, bundle::SlotClass slot_class,
                      const Digest& recipient) {
  if (!release.policy.requires_attestation() || slot_class == bundle::SlotClass::kAttested) {
    return done();
  }
  if (release.escrow && release.escrow->key == recipient) return done();
  return Error(ErrorCode::kRefused,
               "the release opens only in attested environments, not with a key alone")
      .with_hint("sealpack inspect shows its policy and whether an escrow key is named");
}

Result<UnverifiedBundle> UnverifiedBundle::open(std::shared_ptr<const BlockSource> source) {
  UnverifiedBundle bundle;
  bundle.head_ = TRY(bundle::load_head(*source));
  bundle.source_ = std::move(source);
  return bundle;
}

Result<ClaimedBundle> UnverifiedBundle::claimed_without_proof() const {
  TRY(check_payload_type(head_.head.release.payload_type));
  ClaimedBundle claimed;
  claimed.release = TRY(bundle::parse_release(head_.head.release.payload));
  claimed.content = TRY(load_content(*source_, head_, claimed.release));
  TRY(check_layout(*source_, claimed.content, claimed.release));
  return claimed;
}

Result<VerifiedBundle> UnverifiedBundle::verify(const Trust& trust, const Clock& clock) && {
  const bundle::Envelope& envelope = head_.head.release;
  TRY(check_payload_type(envelope.payload_type));
  SignatureCheck signatures = TRY(check_signatures(envelope, trust));

  // From here on the release is the vendor's word; the buffer that was verified is the one parsed.
  VerifiedBundle verified;
  verified.release_ = TRY(bundle::parse_release(envelope.payload));
  verified.release_digest_ = crypto::sha256(envelope.payload);
  TRY(check_release(verified.release_, verified.release_digest_, trust, clock));

  verified.content_ = TRY(load_content(*source_, head_, verified.release_));
  if (!contains(trust.authorities, verified.content_.authority)) {
    return Error(ErrorCode::kRefused, "the bundle belongs to another authority, " +
                                          to_hex(verified.content_.authority.bytes));
  }
  if (contains(trust.revocations.keys, verified.content_.authority)) {
    return Error(ErrorCode::kRefused, "the authority of the bundle is revoked");
  }
  verified.layout_ = TRY(check_layout(*source_, verified.content_, verified.release_));
  verified.accepted_ = std::move(signatures.accepted);
  verified.unknown_signatures_ = signatures.unknown;
  verified.head_ = std::move(head_);
  verified.source_ = std::move(source_);
  return verified;
}

slots::Binding VerifiedBundle::slot_binding() const {
  return {content_.uuid, release_.content_digest, content_.authority};
}

Result<AdmittedKey> VerifiedBundle::check_commitment(crypto::ContentKey key) const {
  const Digest commitment = slots::key_commitment(key);
  if (!crypto::equal_constant_time(commitment.bytes, release_.key_commitment.bytes)) {
    return Error(ErrorCode::kKeyUnavailable,
                 "the slot or grant holds another key than the release names");
  }
  return AdmittedKey(std::move(key));
}

Result<AdmittedKey> VerifiedBundle::admit(const bundle::Slot& slot,
                                          const crypto::Decryptor& recipient) const {
  TRY(check_slot_use(release_, slot.slot_class, recipient.public_key().digest()));
  return check_commitment(TRY(slots::unwrap(slot, slot_binding(), recipient)));
}

Result<AdmittedKey> VerifiedBundle::admit(const bundle::Slot& slot,
                                          const crypto::WrappingKey& recipient) const {
  const bool passphrase = slot.kind == bundle::SlotKind::kPassphrase;
  TRY(check_slot_use(release_, slot.slot_class,
                     passphrase ? Digest{} : slots::symmetric_key_id(recipient)));
  return check_commitment(TRY(slots::unwrap(slot, slot_binding(), recipient)));
}

Result<AdmittedKey> VerifiedBundle::admit_granted(crypto::ContentKey key,
                                                  bundle::SlotClass how) const {
  // No recipient: who asks for a grant is not the escrow key.
  TRY(check_slot_use(release_, how, Digest{}));
  return check_commitment(std::move(key));
}

OpenBundle VerifiedBundle::open(AdmittedKey key) && {
  return OpenBundle(std::move(*this), std::move(key.key_));
}

}  // namespace sealpack::unpacker
