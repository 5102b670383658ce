// SPDX-License-Identifier: Apache-2.0
#include "packer/core/reseal.h"

#include <algorithm>

namespace sealpack::packer {

bool ReleaseChange::empty() const {
  return !policy && !answer && !not_before && !not_after && !version && !counter && !licence &&
         !escrow;
}

Result<bundle::Release> next_release(const bundle::Release& old, const ReleaseChange& change,
                                     std::uint64_t now) {
  bundle::Release next = old;
  if (change.policy) next.policy = *change.policy;
  if (change.answer) next.answer = *change.answer;
  if (change.not_before) next.not_before = *change.not_before;
  if (change.not_after) next.not_after = *change.not_after;
  if (change.version) next.version = *change.version;
  if (change.licence) next.licence = *change.licence;
  if (change.escrow) next.escrow = *change.escrow;
  const auto least = checked_add(old.counter, 1);
  if (!least) return Error(ErrorCode::kLimit, "the counter cannot grow any further");
  next.counter = change.counter.value_or(std::max(now, *least));
  if (next.counter < *least) {
    return Error(ErrorCode::kUsage, "the counter must grow: it is " + std::to_string(old.counter) +
                                        ", asked for is " + std::to_string(next.counter));
  }
  return next;
}

Status check_slots(const bundle::Release& release, const std::vector<bundle::Slot>& slots) {
  if (slots.empty()) {
    return Error(ErrorCode::kUsage, "no recipient would be left: nobody could open the bundle");
  }
  if (!release.policy.requires_attestation()) return done();
  const auto bad = std::count_if(slots.begin(), slots.end(), [&](const bundle::Slot& slot) {
    if (slot.slot_class == bundle::SlotClass::kAttested) return false;
    return !release.escrow || !slots::hints_at(slot, release.escrow->key);
  });
  if (bad == 0) return done();
  return Error(ErrorCode::kRefused, "the policy demands attestation, but " + std::to_string(bad) +
                                        " direct slot(s) would open the bundle anywhere")
      .with_hint("take them out with --drop-to, or name one key as --escrow with --escrow-reason");
}

bool has_slot_for(const std::vector<bundle::Slot>& slots, const Recipient& recipient) {
  if (std::holds_alternative<PassphraseKey>(recipient.key)) return false;
  return std::any_of(slots.begin(), slots.end(), [&](const bundle::Slot& slot) {
    return slots::hints_at(slot, recipient_id(recipient));
  });
}

Status write_copy(const FileSource& bundle, const bundle::Head& head, std::uint32_t head_size,
                  const OutputFile& out) {
  const std::uint64_t after_head = bundle::kHeadOffset + head_size;
  TRY(out.allocate(bundle.size()));
  TRY(out.copy_from(bundle, 0, bundle::kHeadOffset));
  TRY(out.copy_from(bundle, after_head, bundle.size() - after_head));
  return write_new_head(head, head_size, out);
}

}  // namespace sealpack::packer
