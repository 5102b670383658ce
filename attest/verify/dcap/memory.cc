// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/memory.h"

namespace sealpack::attest::dcap {
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
