// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/nonce_guard.h"

namespace sealpack::broker {

NonceGuard::Nonces::Name NonceGuard::name_of(Bytes nonce) {
  Nonces::Name name{};
  std::copy_n(nonce.begin(), std::min(nonce.size(), name.size()), name.begin());
  return name;
}

bool NonceGuard::enter(Bytes nonce, std::uint64_t expires) {
  const std::lock_guard lock(mutex_);
  return nonces_.insert(name_of(nonce), std::max<std::uint64_t>(expires, 1));
}

void NonceGuard::leave(Bytes nonce) {
  const std::lock_guard lock(mutex_);
  nonces_.erase(name_of(nonce));
}

}  // namespace sealpack::broker
