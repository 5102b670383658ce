// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/chain_cache.h"

#include <algorithm>
#include <limits>

#include "formats/bundle/labels.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::attest {
namespace {

// Everything that the answer depends on but the time.
Digest question_of(const x509::Certificate& leaf, std::span<const x509::Certificate> pool,
                   const x509::ChainRules& rules) {
  bundle::LengthPrefixed parts;
  parts.add(leaf.digest().bytes);
  parts.add(std::uint64_t{pool.size()});
  for (const x509::Certificate& certificate : pool) parts.add(certificate.digest().bytes);
  parts.add(std::uint64_t{rules.roots.size()});
  for (const Digest& root : rules.roots) parts.add(root.bytes);
  parts.add(std::uint64_t{rules.revocation_lists.size()});
  for (const ByteVector& list : rules.revocation_lists) parts.add(crypto::sha256(list).bytes);
  parts.add(std::uint64_t{rules.judged_by_caller.size()});
  for (const std::string_view oid : rules.judged_by_caller) parts.add(oid);
  parts.add(static_cast<std::uint64_t>(rules.revocation));
  parts.add(std::uint64_t{rules.longest});
  return crypto::sha256(parts.bytes());
}

// The longest time around `now` in which nothing begins or ends to be valid: [from, until).
class Window {
 public:
  explicit Window(std::uint64_t now) : now_(now) {}

  void add(const x509::Certificate& certificate) {
    add_boundary(certificate.not_before());
    add_boundary(certificate.not_after() + 1);  // valid at notAfter itself
  }
  void add(const x509::RevocationList& list) {
    add_boundary(list.this_update());
    if (list.next_update()) add_boundary(*list.next_update());
  }
  std::uint64_t from() const { return from_; }
  std::uint64_t until() const { return until_; }

 private:
  void add_boundary(std::uint64_t boundary) {
    if (boundary <= now_) {
      from_ = std::max(from_, boundary);
    } else {
      until_ = std::min(until_, boundary);
    }
  }
  std::uint64_t now_;
  std::uint64_t from_ = 0;
  std::uint64_t until_ = std::numeric_limits<std::uint64_t>::max();
};

Window window_of(const x509::Certificate& leaf, std::span<const x509::Certificate> pool,
                 const x509::ChainRules& rules) {
  Window window(rules.now);
  window.add(leaf);
  for (const x509::Certificate& certificate : pool) window.add(certificate);
  for (const ByteVector& der : rules.revocation_lists) {
    const auto list = x509::RevocationList::parse_der(der);
    if (list.ok()) window.add(*list);
  }
  return window;
}

}  // namespace

std::optional<std::vector<x509::Certificate>> ChainCache::find(const Digest& question,
                                                               std::uint64_t now) {
  const std::lock_guard lock(mutex_);
  const auto found = by_question_.find(question);
  if (found == by_question_.end() || now < found->second->from || now >= found->second->until) {
    ++counts_.misses;
    return std::nullopt;
  }
  ++counts_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->chain;
}

void ChainCache::remember(Entry entry) {
  if (capacity_ == 0) return;
  const std::lock_guard lock(mutex_);
  // Verified for another time, or by another thread meanwhile.
  if (const auto found = by_question_.find(entry.question); found != by_question_.end()) {
    entries_.erase(found->second);
    by_question_.erase(found);
  }
  if (entries_.size() == capacity_) {
    by_question_.erase(entries_.back().question);
    entries_.pop_back();
  }
  entries_.push_front(std::move(entry));
  by_question_[entries_.front().question] = entries_.begin();
}

std::optional<std::vector<x509::Certificate>> ChainCache::verify(
    const x509::Certificate& leaf, std::span<const x509::Certificate> pool,
    const x509::ChainRules& rules, std::vector<Reason>& reasons) {
  const Digest question = question_of(leaf, pool, rules);
  if (auto chain = find(question, rules.now)) return chain;
  // Outside the lock: what takes long must not make others wait.
  auto chain = x509::verify_chain(leaf, pool, rules, reasons);
  if (!chain) return chain;
  const Window window = window_of(leaf, pool, rules);
  remember({question, *chain, window.from(), window.until()});
  return chain;
}

ChainCache::Counts ChainCache::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.entries = entries_.size();
  return counts;
}

std::optional<std::vector<x509::Certificate>> verify_chain(const x509::Certificate& leaf,
                                                           std::span<const x509::Certificate> pool,
                                                           const x509::ChainRules& rules,
                                                           ChainCache* cache,
                                                           std::vector<Reason>& reasons) {
  if (cache != nullptr) return cache->verify(leaf, pool, rules, reasons);
  return x509::verify_chain(leaf, pool, rules, reasons);
}

}  // namespace sealpack::attest
