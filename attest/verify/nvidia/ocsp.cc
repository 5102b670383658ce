// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/nvidia/ocsp.h"

#include <algorithm>

#include "attest/verify/chain_cache.h"
#include "attest/verify/read_endorsements.h"

namespace sealpack::attest {
namespace {

struct Memory : ChainCache::Memory {
  ReadEndorsements<OcspIndex> indices;
};

OcspIndex read(const Endorsements& endorsements) {
  OcspIndex index;
  for (const ByteVector& der : endorsements.ocsp_responses) {
    const auto response = x509::OcspResponse::parse_der(der);
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
  if (input.cache != nullptr) index_ = input.cache->memory<Memory>().indices.find(input);
  known_ = index_ != nullptr;
  if (!known_) index_ = std::make_shared<const OcspIndex>(read(input.endorsements));
}

std::vector<x509::OcspResponse> SuppliedOcsp::about(
    std::span<const x509::Certificate> certificates) const {
  std::vector<x509::OcspResponse> found;
  for (const x509::Certificate& certificate : certificates) {
    const auto [begin, end] = index_->by_serial.equal_range(certificate.serial());
    for (auto at = begin; at != end; ++at) {
      const bool there =
          std::any_of(found.begin(), found.end(), [&](const x509::OcspResponse& response) {
            return response.digest() == at->second.digest();
          });
      if (!there) found.push_back(at->second);
    }
  }
  return found;
}

void SuppliedOcsp::remember() const {
  if (known_ || input_.cache == nullptr) return;
  input_.cache->memory<Memory>().indices.remember(input_, index_);
}

}  // namespace sealpack::attest
