// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "attest/verify/chain_cache.h"
#include "attest/verify/dcap/certified_key.h"
#include "attest/verify/dcap/collateral.h"
#include "attest/verify/read_endorsements.h"

namespace sealpack::attest::dcap {

// What a verifier of many quotes need not find out again: endorsements that were read, and keys
// that platforms vouch for. All of it is a function of bytes alone, and found again by exactly
// these bytes; what depends on time, roots and revocation is checked for every quote. Only what was
// part of a verdict that accepts is remembered, so that nobody else can fill it. For several
// threads.
class Memory : public ChainCache::Memory {
 public:
  using SharedKey = std::shared_ptr<const CertifiedKey>;

  ReadEndorsements<Collateral>& collateral() { return collateral_; }

  // By Quote::attestation_key, qe_vendor_id, layout and certification, byte for byte.
  SharedKey find(const Quote& quote);
  void remember(const Quote& quote, SharedKey key);

 private:
  static constexpr std::size_t kMaxKeys = 4096;

  ReadEndorsements<Collateral> collateral_;
  std::mutex mutex_;
  struct Certified {
    ByteVector certification;  // between the vendor's id and its layout
    SharedKey key;
  };
  std::map<ByteVector, Certified> keys_;
};

}  // namespace sealpack::attest::dcap
