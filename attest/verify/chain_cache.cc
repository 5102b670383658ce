// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/chain_cache.h"

#include <algorithm>
#include <limits>
#include <set>

#include "formats/bundle/labels.h"
#include "keymgmt/crypto/sha256.h"
#include "keymgmt/x509/revocation_list.h"

namespace sealpack::attest {
namespace {

// Anybody can have certificates parsed: thousands of the largest would fill the memory. Makers' are
// smaller.
constexpr std::size_t kMaxRemembered = 4096;

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
  parts.add(std::uint64_t{rules.ocsp_responses.size()});
  for (const x509::OcspResponse& response : rules.ocsp_responses) {
    parts.add(response.digest().bytes);
  }
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
  void add(const x509::OcspResponse& response) {
    for (const std::uint64_t boundary : response.boundaries()) add_boundary(boundary);
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
  // No issuer is outside the pool, and what others revoke is not looked at.
  std::set<ByteVector> issuers;
  for (const x509::Certificate& certificate : pool) issuers.insert(certificate.subject_name());
  for (const ByteVector& der : rules.revocation_lists) {
    const auto issuer = x509::RevocationList::issuer_of(der);
    if (!issuer || !issuers.contains(*issuer)) continue;
    const auto list = rules.read_lists != nullptr ? rules.read_lists->parse(der)
                                                  : x509::RevocationList::parse_der(der);
    if (list.ok()) window.add(*list);
  }
  for (const x509::OcspResponse& response : rules.ocsp_responses) window.add(response);
  return window;
}

}  // namespace

std::optional<std::vector<x509::Certificate>> ChainCache::verify(
    const x509::Certificate& leaf, std::span<const x509::Certificate> pool,
    const x509::ChainRules& rules, std::vector<Reason>& reasons) {
  const Digest question = question_of(leaf, pool, rules);
  auto entry = chains_.find(question);
  if (entry && entry->from <= rules.now && rules.now < entry->until) {
    ++hits_;
    return std::move(entry->chain);
  }
  ++misses_;
  auto chain = x509::verify_chain(leaf, pool, rules, reasons);
  if (!chain) return chain;
  const Window window = window_of(leaf, pool, rules);
  chains_.put(question, {*chain, window.from(), window.until()});
  return chain;
}

Result<x509::Certificate> ChainCache::parse(Bytes der) {
  if (der.size() > kMaxRemembered) return x509::Certificate::parse_der(der);
  const Digest digest = crypto::sha256(der);
  if (auto certificate = certificates_.find(digest)) return std::move(*certificate);
  x509::Certificate certificate = TRY(x509::Certificate::parse_der(der));
  certificates_.put(digest, certificate);
  return certificate;
}

Result<crypto::DeviceKey> ChainCache::key_of(const x509::Certificate& certificate) {
  if (auto key = keys_.find(certificate.key_digest())) return std::move(*key);
  crypto::DeviceKey key = TRY(crypto::DeviceKey::from_spki(certificate.spki()));
  keys_.put(certificate.key_digest(), key);
  return key;
}

ChainCache::Counts ChainCache::counts() const {
  return {hits_, misses_, chains_.size()};
}

std::optional<std::vector<x509::Certificate>> verify_chain(const x509::Certificate& leaf,
                                                           std::span<const x509::Certificate> pool,
                                                           const x509::ChainRules& rules,
                                                           ChainCache* cache,
                                                           std::vector<Reason>& reasons) {
  if (cache != nullptr) return cache->verify(leaf, pool, rules, reasons);
  return x509::verify_chain(leaf, pool, rules, reasons);
}

Result<x509::Certificate> parse_certificate(Bytes der, ChainCache* cache) {
  return cache != nullptr ? cache->parse(der) : x509::Certificate::parse_der(der);
}

Result<crypto::DeviceKey> key_of(const x509::Certificate& certificate, ChainCache* cache) {
  return cache != nullptr ? cache->key_of(certificate)
                          : crypto::DeviceKey::from_spki(certificate.spki());
}

}  // namespace sealpack::attest
