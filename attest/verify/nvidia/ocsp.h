// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <span>

#include "attest/verify/verify.h"
#include "keymgmt/x509/ocsp_response.h"

namespace sealpack::attest {

// OCSP responses by the serial numbers that they are about: a broker holds those of all its GPUs,
// a chain needs three.
struct OcspIndex {
  static constexpr std::array kReadFrom{&Endorsements::ocsp_responses};
  std::multimap<ByteVector, x509::OcspResponse> by_serial;
  std::vector<Reason> unreadable;  // "nvidia.ocsp-response"
};

// What was supplied, read once for the same endorsements.
class SuppliedOcsp {
 public:
  explicit SuppliedOcsp(const VerifyInput& input);

  // Reasons for responses that cannot be read: nobody knows whom they revoke.
  const std::vector<Reason>& unreadable() const { return index_->unreadable; }
  // All that are about a certificate with one of these serial numbers, each once.
  std::vector<x509::OcspResponse> about(std::span<const x509::Certificate> certificates) const;
  // For the next report: call it when this one is accepted.
  void remember() const;

 private:
  const VerifyInput& input_;
  std::shared_ptr<const OcspIndex> index_;
  bool known_ = false;
};

}  // namespace sealpack::attest
