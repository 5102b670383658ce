// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/registration.h"

#include <algorithm>

#include "attest/policy/policy_file.h"
#include "keymgmt/slots/slots.h"

namespace sealpack::broker {
namespace {

// Whether one of the broker's keys opens the slot, and finds the bundle's key in it.
Result<bool> opens(const unpacker::VerifiedBundle& bundle, const bundle::Slot& slot,
                   std::span<const std::unique_ptr<crypto::Decryptor>> recipients) {
  if (slot.slot_class != bundle::SlotClass::kAttested) return false;
  for (const auto& recipient : recipients) {
    if (!slots::hints_at(slot, recipient->public_key().digest())) continue;
    const auto key = bundle.admit(slot, *recipient);
    if (key.ok()) return true;
    // A hint of 8 bytes may be a chance match; a token that does not answer is not.
    if (key.error().code() != ErrorCode::kKeyUnavailable) return key.error();
  }
  return false;
}

Result<std::vector<bundle::Slot>> slots_for_broker(
    const unpacker::VerifiedBundle& bundle, std::span<const bundle::Grant> grants,
    std::span<const std::unique_ptr<crypto::Decryptor>> recipients) {
  std::vector<bundle::Slot> candidates = bundle.slots();
  for (const bundle::Grant& grant : grants) {
    if (grant.uuid != bundle.content().uuid ||
        grant.content_digest != bundle.release().content_digest) {
      return Error(ErrorCode::kRefused, "a grant is for another bundle");
    }
    candidates.push_back(grant.slot);
  }
  std::vector<bundle::Slot> slots;
  for (const bundle::Slot& slot : candidates) {
    if (std::find(slots.begin(), slots.end(), slot) != slots.end()) continue;
    if (TRY(opens(bundle, slot, recipients))) slots.push_back(slot);
  }
  if (slots.empty()) {
    return Error(ErrorCode::kKeyUnavailable, "no slot of the bundle is for this broker")
        .with_hint("build it --to the broker's public key, or add one with sealpack grant");
  }
  return slots;
}

}  // namespace

Result<RegisteredRelease> register_bundle(
    std::shared_ptr<const BlockSource> source, const Vendor& vendor, const unpacker::Clock& clock,
    std::span<const bundle::Grant> slots,
    std::span<const std::unique_ptr<crypto::Decryptor>> recipients) {
  auto unverified = TRY(unpacker::UnverifiedBundle::open(std::move(source)));
  const auto bundle = TRY(std::move(unverified).verify(vendor.trust, clock));
  const bundle::Release& release = bundle.release();
  if (!release.policy.requires_attestation()) {
    return Error(ErrorCode::kRefused,
                 "the release opens for anybody with a key, so a broker would give it to anybody")
        .with_hint("sign it with a policy that names the environments it may open in");
  }
  TRY(policy::check_policy(release.policy));
  RegisteredRelease out;
  out.vendor = vendor.name;
  out.authority = bundle.content().authority;
  out.content = release.content_digest;
  out.release = bundle.release_digest();
  out.uuid = bundle.content().uuid;
  out.product = release.product;
  out.counter = release.counter;
  out.trust = TRY(trust_digest(vendor));
  for (const auto& signature : bundle.accepted_signatures()) out.signers.push_back(signature.key);
  std::sort(out.signers.begin(), out.signers.end());
  out.signers.erase(std::unique(out.signers.begin(), out.signers.end()), out.signers.end());
  out.head.release = bundle.head().head.release;
  out.head.slots = TRY(slots_for_broker(bundle, slots, recipients));
  out.added = clock.unix_seconds.value_or(0);
  return out;
}

}  // namespace sealpack::broker
