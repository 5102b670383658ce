// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Values by digest, at most `capacity` of them: the least recently used makes room for a new one.
// For several threads.
template <typename Value>
class Recent {
 public:
  explicit Recent(std::size_t capacity) : capacity_(capacity) {}

  std::optional<Value> find(const Digest& key) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->second;
  }

  // In place of what is there under that key.
  void put(const Digest& key, Value value) {
    if (capacity_ == 0) return;
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      entries_.erase(found->second);
      by_key_.erase(found);
    }
    if (entries_.size() == capacity_) {
      by_key_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    by_key_[key] = entries_.begin();
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  using Entries = std::list<std::pair<Digest, Value>>;
  std::size_t capacity_;
  mutable std::mutex mutex_;
  Entries entries_;  // the most recently used first
  std::map<Digest, typename Entries::iterator> by_key_;
};

}  // namespace sealpack::attest
