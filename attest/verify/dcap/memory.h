// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "attest/verify/chain_cache.h"
#include "attest/verify/dcap/certified_key.h"
#include "attest/verify/dcap/collateral.h"

namespace sealpack::attest::dcap {

// What a verifier of many quotes need not find out again: endorsements that were read, and keys
// that platforms vouch for. All of it is a function of bytes alone, and found again by exactly
// these bytes; what depends on time, roots and revocation is checked for every quote. Only what was
// part of a verdict that accepts is remembered, so that nobody else can fill it. For several
// threads.
class Memory : public ChainCache::Memory {
 public:
  using SharedCollateral = std::shared_ptr<const Collateral>;
  using SharedKey = std::shared_ptr<const CertifiedKey>;

  SharedCollateral find(const Endorsements& endorsements);
  void remember(const Endorsements& endorsements, SharedCollateral collateral);

  // By the SHA-256 of Quote::qe_vendor_id and Quote::certification.
  SharedKey find(const Digest& certification);
  void remember(const Digest& certification, SharedKey key);

 private:
  static constexpr std::size_t kMaxEndorsements = 16;
  static constexpr std::size_t kMaxKeys = 4096;

  struct Read {
    Endorsements endorsements;  // a copy, compared byte for byte: faster than a hash
    SharedCollateral collateral;
  };
  std::mutex mutex_;
  std::vector<std::shared_ptr<const Read>> read_;  // the oldest is replaced
  std::size_t next_ = 0;
  std::map<Digest, SharedKey> keys_;
};

}  // namespace sealpack::attest::dcap
