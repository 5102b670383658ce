// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/ocsp.h"

#include <set>

#include "attest/verify/chain_cache.h"
#include "attest/verify/read_endorsements.h"
#include "attest/verify/recent.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::attest {
namespace {

// All responses together where they are the same as before, else one by one: a response that a
// request adds does not have those of the broker read again.
struct Memory : ChainCache::Memory {
  static constexpr std::size_t kCapacity = 16384;
  ReadEndorsements<OcspIndex> indices;
  Recent<x509::OcspResponse> responses{kCapacity};
};

Result<x509::OcspResponse> parse(Bytes der, Memory* memory) {
  if (memory != nullptr) {
    if (auto known = memory->responses.find(crypto::sha256(der))) return std::move(*known);
  }
  return x509::OcspResponse::parse_der(der);
}

OcspIndex read(const Endorsements& endorsements, Memory* memory) {
  OcspIndex index;
  for (const ByteVector& der : endorsements.ocsp_responses) {
    const auto response = parse(der, memory);
    if (!response.ok()) {
      index.unreadable.push_back({"nvidia.ocsp-response", response.error().message()});
      continue;
    }
    for (const ByteVector& serial : response->serials()) {
      index.by_serial.emplace(serial, *response);
    }
  }
  return index;
}

}  // namespace

SuppliedOcsp::SuppliedOcsp(const VerifyInput& input) : input_(input) {
  Memory* memory = input.cache != nullptr ? &input.cache->memory<Memory>() : nullptr;
  if (memory != nullptr) index_ = memory->indices.find(input);
  known_ = index_ != nullptr;
  if (!known_) index_ = std::make_shared<const OcspIndex>(read(input.endorsements, memory));
}

std::vector<x509::OcspResponse> SuppliedOcsp::about(
    std::span<const x509::Certificate> certificates) const {
  std::vector<x509::OcspResponse> found;
  std::set<Digest> seen;  // as many as the sender likes, of certificates of his own making
  for (const x509::Certificate& certificate : certificates) {
    const auto [begin, end] = index_->by_serial.equal_range(certificate.serial());
    for (auto at = begin; at != end; ++at) {
      if (seen.insert(at->second.digest()).second) found.push_back(at->second);
    }
  }
  return found;
}

void SuppliedOcsp::remember() const {
  if (known_ || input_.cache == nullptr) return;
  Memory& memory = input_.cache->memory<Memory>();
  memory.indices.remember(input_, index_);
  for (const auto& [serial, response] : index_->by_serial) {
    memory.responses.put(response.digest(), response);
  }
}

}  // namespace sealpack::attest
