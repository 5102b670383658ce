// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/dcap/memory.h"

namespace sealpack::attest::dcap {
namespace {

ByteVector certification_of(const Quote& quote) {
  ByteVector bytes(quote.qe_vendor_id.begin(), quote.qe_vendor_id.end());
  bytes.insert(bytes.end(), quote.certification.begin(), quote.certification.end());
  // Version 3 lays the same bytes out differently.
  bytes.push_back(quote.version == 3 ? 1 : 0);
  return bytes;
}

}  // namespace

Memory::SharedKey Memory::find(const Quote& quote) {
  const ByteVector certification = certification_of(quote);
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(to_vector(quote.attestation_key));
  if (found == keys_.end() || found->second.certification != certification) return nullptr;
  return found->second.key;
}

void Memory::remember(const Quote& quote, SharedKey key) {
  Certified certified{certification_of(quote), std::move(key)};
  ByteVector point = to_vector(quote.attestation_key);
  const std::lock_guard lock(mutex_);
  // Keys are evenly spread: the one above is any.
  if (keys_.size() == kMaxKeys && !keys_.contains(point)) {
    const auto above = keys_.upper_bound(point);
    keys_.erase(above == keys_.end() ? keys_.begin() : above);
  }
  keys_.insert_or_assign(std::move(point), std::move(certified));
}

}  // namespace sealpack::attest::dcap
