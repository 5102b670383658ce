// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/nonce_guard.h"

#include <algorithm>
#include <cstring>

namespace sealpack::broker {

std::size_t NonceGuard::HashOfName::operator()(const Name& name) const {
  std::size_t hash = 0;
  std::memcpy(&hash, name.data(), sizeof(hash));
  return hash;
}

NonceGuard::Name NonceGuard::name_of(Bytes nonce) {
  Name name{};
  std::copy_n(nonce.begin(), std::min(nonce.size(), name.size()), name.begin());
  return name;
}

bool NonceGuard::enter(Bytes nonce, std::uint64_t expires) {
  const Name name = name_of(nonce);
  const std::lock_guard lock(mutex_);
  if (!nonces_.insert(name).second) return false;
  by_end_[expires].push_back(name);
  // Those that end last go first: they are of file exchanges, and few.
  while (nonces_.size() > capacity_ && by_end_.size() > 1) {
    const auto last = std::prev(by_end_.end());
    for (const Name& one : last->second) nonces_.erase(one);
    by_end_.erase(last);
  }
  return true;
}

void NonceGuard::leave(Bytes nonce) {
  const std::lock_guard lock(mutex_);
  nonces_.erase(name_of(nonce));
}

void NonceGuard::purge(std::uint64_t now) {
  const std::lock_guard lock(mutex_);
  while (!by_end_.empty() && by_end_.begin()->first < now) {
    for (const Name& one : by_end_.begin()->second) nonces_.erase(one);
    by_end_.erase(by_end_.begin());
  }
}

std::size_t NonceGuard::size() const {
  const std::lock_guard lock(mutex_);
  return nonces_.size();
}

}  // namespace sealpack::broker
