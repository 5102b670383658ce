// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/chain_cache.h"

namespace sealpack::attest {

std::optional<std::vector<x509::Certificate>> ChainCache::verify(
    const x509::Certificate& leaf, std::span<const x509::Certificate> pool,
    const x509::ChainRules& rules, std::vector<Reason>& reasons) {
  return x509::verify_chain(leaf, pool, rules, reasons);
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
