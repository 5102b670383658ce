// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/nonce_guard.h"

namespace sealpack::broker {

bool NonceGuard::enter(Bytes nonce, std::uint64_t expires) {
  const std::lock_guard lock(mutex_);
  if (!nonces_.emplace(as_text(nonce)).second) return false;
  by_end_[expires].emplace_back(as_text(nonce));
  // Those that end last go first: they are of file exchanges, and few.
  while (nonces_.size() > capacity_ && by_end_.size() > 1) {
    const auto last = std::prev(by_end_.end());
    for (const std::string& one : last->second) nonces_.erase(one);
    by_end_.erase(last);
  }
  return true;
}

void NonceGuard::leave(Bytes nonce) {
  const std::lock_guard lock(mutex_);
  nonces_.erase(std::string(as_text(nonce)));
}

void NonceGuard::purge(std::uint64_t now) {
  const std::lock_guard lock(mutex_);
  while (!by_end_.empty() && by_end_.begin()->first < now) {
    for (const std::string& one : by_end_.begin()->second) nonces_.erase(one);
    by_end_.erase(by_end_.begin());
  }
}

std::size_t NonceGuard::size() const {
  const std::lock_guard lock(mutex_);
  return nonces_.size();
}

}  // namespace sealpack::broker
