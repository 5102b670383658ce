// SPDX-License-Identifier: Apache-2.0
#include "packer/core/release_writer.h"

#include <algorithm>

#include "formats/bundle/encode.h"
#include "formats/bundle/labels.h"
#include "keymgmt/crypto/dsse.h"

namespace sealpack::packer {
namespace {

Status check_signers(const Signers& signers) {
  if (signers.empty()) return Error(ErrorCode::kUsage, "a release needs a signer");
  if (signers.size() > bundle::kMaxSignatures) {
    return Error(ErrorCode::kLimit, std::to_string(signers.size()) +
                                        " signers, a release has at most " +
                                        std::to_string(bundle::kMaxSignatures));
  }
  std::vector<Digest> keys;
  for (const auto& signer : signers) keys.push_back(signer->public_key().digest());
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
    return Error(ErrorCode::kUsage, "one key is given twice as --signer");
  }
  return done();
}

}  // namespace

Status check_release(const bundle::Release& release, const Signers& signers) {
  TRY(check_signers(signers));
  const std::pair<const char*, const std::string*> texts[] = {
      {"product", &release.product}, {"version", &release.version}, {"licence", &release.licence}};
  for (const auto& [what, text] : texts) {
    if (is_utf8(*text)) continue;
    return Error(ErrorCode::kUsage, std::string("the ") + what + " is not UTF-8");
  }
  bundle::Release draft = release;
  if (draft.content_size == 0) draft.content_size = bundle::kMaxContentSize;
  TRY(bundle::parse_release(bundle::serialize_release(draft)).within("the release to be signed"));
  return done();
}

Status check_recipients(const bundle::Release& release, const std::vector<Recipient>& recipients) {
  if (!release.policy.requires_attestation()) return done();
  for (const Recipient& recipient : recipients) {
    if (recipient.slot_class == bundle::SlotClass::kAttested) continue;
    const bool has_id = !std::holds_alternative<PassphraseKey>(recipient.key);
    if (has_id && release.escrow && recipient_id(recipient) == release.escrow->key) continue;
    return Error(ErrorCode::kRefused, "the policy demands attestation, but " + recipient.label +
                                          " would open the bundle anywhere")
        .with_hint("use a broker or device key, or name one key as --escrow with --escrow-reason");
  }
  return done();
}

Result<bundle::Envelope> sign_release(const bundle::Release& release, const Signers& signers) {
  TRY(check_signers(signers));
  bundle::Envelope envelope;
  envelope.payload_type = bundle::kReleaseType;
  envelope.payload = bundle::serialize_release(release);
  TRY(bundle::parse_release(envelope.payload).within("the release to be signed"));
  const ByteVector message = crypto::dsse_pae(envelope.payload_type, envelope.payload);
  for (const auto& signer : signers) {
    ByteVector signature = TRY(signer->sign(message));
    // A token that answers nonsense must be noticed here, not by the customer.
    TRY(signer->public_key().verify(message, signature).within("the signature just made"));
    envelope.signatures.push_back({signer->public_key().digest(), std::move(signature)});
  }
  std::sort(envelope.signatures.begin(), envelope.signatures.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  return envelope;
}

std::uint64_t head_size_bound(const bundle::Release& release, std::size_t signer_count,
                              const std::vector<Recipient>& recipients) {
  constexpr std::uint64_t kEnvelope = 256;
  constexpr std::uint64_t kSignature = 160;
  std::uint64_t size =
      kEnvelope + bundle::serialize_release(release).size() + signer_count * kSignature;
  for (const Recipient& recipient : recipients) size += slot_size_bound(recipient);
  return size;
}

Status write_new_head(const bundle::Head& head, std::uint32_t head_size, const OutputFile& out) {
  bundle::HeadLayout layout;
  layout.head_size = head_size;
  const ByteVector copy = TRY(bundle::head_copy(layout, bundle::serialize_head(head)));
  TRY(out.write_at(layout.copy_offset(false), copy));
  return out.write_at(bundle::kHeadOffset, bundle::head_preamble(head_size, bundle::HeadState::kA));
}

}  // namespace sealpack::packer
