// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "formats/base/bytes.h"
#include "keymgmt/broker/forgetful_set.h"

namespace sealpack::broker {

// Nonces that this process has seen answered, so that a replay costs no verification. The store
// alone decides; this only spares work: when it is full, the nonces of challenges that end first
// are forgotten first. Nonces are the broker's own random bytes, so their first 16 tell them apart.
// For several threads.
class NonceGuard {
 public:
  // 6 MiB: a minute of 4,000 requests a second.
  static constexpr std::size_t kCapacity = std::size_t{1} << 18U;
  explicit NonceGuard(std::size_t capacity = kCapacity) : nonces_(capacity) {}

  // False when the nonce is here already. `expires`: when its challenge ends.
  bool enter(Bytes nonce, std::uint64_t expires);
  // It was not spent after all.
  void leave(Bytes nonce);

 private:
  using Nonces = ForgetfulSet<16>;
  static Nonces::Name name_of(Bytes nonce);

  std::mutex mutex_;
  Nonces nonces_;
};

}  // namespace sealpack::broker
