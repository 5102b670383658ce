// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "attest/verify/verify.h"

namespace sealpack::attest {

// What a family of verifiers read in endorsements, so that the hundreds that a broker holds are
// read once and not with every request. Found again for the same endorsements: by their address
// where the caller keeps them (VerifyInput::kept_endorsements), else byte for byte, which is faster
// than a hash. The least recently used make room. For several threads.
//
// `Found` is a function of Found::kReadFrom alone, an array of lists (&Endorsements::certificates).
// Remember only what was part of a verdict that accepts, so that nobody else can fill the memory.
template <typename Found>
class ReadEndorsements {
 public:
  using Shared = std::shared_ptr<const Found>;

  Shared find(const VerifyInput& input) {
    const std::vector<Entry> entries = snapshot();
    for (const Entry& entry : entries) {
      if (is_kept(input, entry.endorsements.get())) return use(entry);
    }
    for (const Entry& entry : entries) {
      if (is_same(*entry.endorsements, input.endorsements)) return use(entry);
    }
    return nullptr;
  }

  void remember(const VerifyInput& input, Shared found) {
    std::shared_ptr<const Endorsements> endorsements = input.kept_endorsements;
    if (!is_kept(input, endorsements.get())) {
      auto copy = std::make_shared<Endorsements>();
      for (const auto list : Found::kReadFrom) (*copy).*list = input.endorsements.*list;
      endorsements = std::move(copy);
    }
    const std::lock_guard lock(mutex_);
    if (entries_.size() == kCapacity) entries_.pop_back();
    entries_.insert(entries_.begin(), {std::move(endorsements), std::move(found)});
  }

 private:
  static constexpr std::size_t kCapacity = 16;

  // Holding the endorsements: no others get their address.
  struct Entry {
    std::shared_ptr<const Endorsements> endorsements;
    Shared found;
  };

  static bool is_kept(const VerifyInput& input, const Endorsements* endorsements) {
    return endorsements != nullptr && endorsements == input.kept_endorsements.get() &&
           endorsements == &input.endorsements;
  }
  // From the end: what a request adds stands behind what all requests share.
  static bool is_same(const Endorsements& a, const Endorsements& b) {
    return std::all_of(Found::kReadFrom.begin(), Found::kReadFrom.end(), [&](const auto list) {
      return std::equal((a.*list).rbegin(), (a.*list).rend(), (b.*list).rbegin(), (b.*list).rend());
    });
  }

  // Outside the lock: comparing takes long, and must not make others wait.
  std::vector<Entry> snapshot() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  Shared use(const Entry& used) {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.found == used.found; });
    if (at != entries_.end()) std::rotate(entries_.begin(), at, at + 1);
    return used.found;
  }

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // the most recently used first
};

}  // namespace sealpack::attest
