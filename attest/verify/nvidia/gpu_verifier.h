// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to attest/verify/nvidia: one GPU of evidence that may have several.

#include <optional>
#include <set>

#include "attest/verify/nvidia/ocsp.h"
#include "attest/verify/verify.h"

namespace sealpack::attest {

// What all GPUs of one evidence are judged by.
class GpuContext {
 public:
  // `nonce`: what each of them must have been asked for.
  GpuContext(const VerifyInput& verify_input, const std::optional<ByteVector>& nonce)
      : input(verify_input), expected_nonce(nonce), ocsp(verify_input) {}

  // Names of those who have a revocation list among the endorsements. Read when first asked for.
  const std::set<ByteVector>& issuers_of_lists();

  const VerifyInput& input;
  const std::optional<ByteVector>& expected_nonce;
  const SuppliedOcsp ocsp;
  x509::ReadLists lists;

 private:
  std::optional<std::set<ByteVector>> issuers_;
};

struct ProvenGpu {
  Claims claims;  // of nvidia-gpu, in any order
  ByteVector nonce;
  // SHA-256 of the key of its boot ROM, of which NVIDIA certified one for each chip. What the chip
  // certifies itself, the key that signs reports or another boot ROM's, can change.
  Digest device;
};

// GPU `number` of the evidence, from 1 (gpu_items.h). nullopt with reasons.
std::optional<ProvenGpu> verify_gpu(GpuContext& context, std::size_t number,
                                    std::vector<Reason>& reasons);

}  // namespace sealpack::attest
