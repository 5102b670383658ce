// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/memory.h"

namespace sealpack::attest::dcap {
namespace {

bool same(const Endorsements& a, const Endorsements& b) {
  return a.certificates == b.certificates && a.tcb_infos == b.tcb_infos &&
         a.enclave_identities == b.enclave_identities;
}

// What read_collateral looks at.
Endorsements relevant(const Endorsements& endorsements) {
  Endorsements out;
  out.certificates = endorsements.certificates;
  out.tcb_infos = endorsements.tcb_infos;
  out.enclave_identities = endorsements.enclave_identities;
  return out;
}

}  // namespace

Memory::SharedCollateral Memory::find(const Endorsements& endorsements) {
  std::vector<std::shared_ptr<const Read>> read;
  {
    const std::lock_guard lock(mutex_);
    read = read_;
  }
  for (const auto& entry : read) {
    if (same(entry->endorsements, endorsements)) return entry->collateral;
  }
  return nullptr;
}

void Memory::remember(const Endorsements& endorsements, SharedCollateral collateral) {
  auto entry = std::make_shared<const Read>(Read{relevant(endorsements), std::move(collateral)});
  const std::lock_guard lock(mutex_);
  if (read_.size() < kMaxEndorsements) {
    read_.push_back(std::move(entry));
  } else {
    read_[next_] = std::move(entry);
    next_ = (next_ + 1) % kMaxEndorsements;
  }
}

Memory::SharedKey Memory::find(const Digest& certification) {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(certification);
  return found == keys_.end() ? nullptr : found->second;
}

void Memory::remember(const Digest& certification, SharedKey key) {
  const std::lock_guard lock(mutex_);
  // Digests are evenly spread: the one above is any.
  if (keys_.size() == kMaxKeys) {
    const auto above = keys_.upper_bound(certification);
    keys_.erase(above == keys_.end() ? keys_.begin() : above);
  }
  keys_.emplace(certification, std::move(key));
}

}  // namespace sealpack::attest::dcap
