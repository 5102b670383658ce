// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "attest/verify/recent.h"
#include "keymgmt/crypto/device_signature.h"
#include "keymgmt/x509/chain.h"

namespace sealpack::attest {

// Remembers chains that verified, so that a broker checks a manufacturer's signatures once and not
// with every request. An entry answers only for the same leaf, pool of issuers, roots, rules and
// revocation lists, and only while no certificate or list among them begins or ends to be valid.
// The least recently used entry makes room for a new one. For several threads.
class ChainCache {
 public:
  explicit ChainCache(std::size_t capacity = 4096)
      : chains_(capacity), certificates_(capacity), keys_(capacity) {}

  // As x509::verify_chain. Refusals are not remembered.
  std::optional<std::vector<x509::Certificate>> verify(const x509::Certificate& leaf,
                                                       std::span<const x509::Certificate> pool,
                                                       const x509::ChainRules& rules,
                                                       std::vector<Reason>& reasons);

  // As Certificate::parse_der and DeviceKey::from_spki, which take longer than verifying a
  // signature: found again by the same bytes. Nothing about them is proven.
  Result<x509::Certificate> parse(Bytes der);
  Result<crypto::DeviceKey> key_of(const x509::Certificate& certificate);

  // How often verify() found its answer here, and how often it did not.
  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::size_t entries = 0;
  };
  Counts counts() const;

  // What a family of verifiers remembers besides chains: one object of each type, made when it is
  // first asked for, as old as the cache. It locks itself.
  class Memory {
   public:
    virtual ~Memory() = default;
  };
  template <typename T>
  T& memory() {
    const std::lock_guard lock(memories_mutex_);
    std::unique_ptr<Memory>& slot = memories_[&kTypeTag<T>];
    if (!slot) slot = std::make_unique<T>();
    return static_cast<T&>(*slot);
  }

 private:
  template <typename T>
  static constexpr char kTypeTag = 0;

  struct Entry {
    std::vector<x509::Certificate> chain;
    std::uint64_t from = 0;   // Unix seconds: the answer is the same at from,
    std::uint64_t until = 0;  // and not known to be at until
  };
  Recent<Entry> chains_;
  Recent<x509::Certificate> certificates_;
  Recent<crypto::DeviceKey> keys_;
  std::atomic<std::uint64_t> hits_ = 0;
  std::atomic<std::uint64_t> misses_ = 0;
  std::mutex memories_mutex_;
  std::map<const char*, std::unique_ptr<Memory>> memories_;
};

// The same with a cache where there is one.
std::optional<std::vector<x509::Certificate>> verify_chain(const x509::Certificate& leaf,
                                                           std::span<const x509::Certificate> pool,
                                                           const x509::ChainRules& rules,
                                                           ChainCache* cache,
                                                           std::vector<Reason>& reasons);
Result<x509::Certificate> parse_certificate(Bytes der, ChainCache* cache);
Result<crypto::DeviceKey> key_of(const x509::Certificate& certificate, ChainCache* cache);

}  // namespace sealpack::attest
