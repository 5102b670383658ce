// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/simulated.h"
#include "runtime-loader/core/session.h"

namespace sealpack::tee {

// SIMULATED evidence: what this program says of itself, signed with a key that whoever started it
// has too. For laboratories; the loader that others link has nothing like it.
class SimulatedEvidence final : public loader::EvidenceCollector {
 public:
  explicit SimulatedEvidence(const crypto::Signer* root) : root_(root) {}
  // Known once the launch configuration is.
  void set_measurement(const Digest& measurement) { measurement_ = measurement; }

  Result<ByteVector> collect(Bytes report_data) override {
    if (root_ == nullptr) return Error(ErrorCode::kUnsupported, "this TEE makes no evidence");
    return attest::make_simulated_evidence(measurement_, report_data, *root_);
  }

 private:
  const crypto::Signer* root_;
  Digest measurement_;
};

}  // namespace sealpack::tee
