// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::broker {

// Nonces that this process has seen answered, so that a replay costs no verification. The store
// alone decides; this only spares work, and forgets when it is full. Nonces are the broker's own
// random bytes, so their first 16 tell them apart. For several threads.
class NonceGuard {
 public:
  explicit NonceGuard(std::size_t capacity = 1U << 20U) : capacity_(capacity) {}

  // False when the nonce is here already.
  bool enter(Bytes nonce, std::uint64_t expires);
  // It was not spent after all.
  void leave(Bytes nonce);
  // Forgets nonces of challenges that ended.
  void purge(std::uint64_t now);
  std::size_t size() const;

 private:
  using Name = std::array<std::uint8_t, 16>;
  struct HashOfName {
    std::size_t operator()(const Name& name) const;
  };
  static Name name_of(Bytes nonce);

  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::unordered_set<Name, HashOfName> nonces_;
  std::map<std::uint64_t, std::vector<Name>> by_end_;
};

}  // namespace sealpack::broker
