// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"

namespace sealpack::attest {

// The nonce that each GPU beside a CPU's TEE must sign: SHA-256("gpu" || T || SHA-256(E)), where T
// is the transcript that the TEE's report data are the hash of, and E the serialised evidence
// without its items about GPUs. So the TEE reports first; its evidence cannot be swapped under the
// GPUs' reports afterwards. docs/attestation/nvidia-gpu.md says what that does not prove.
ByteVector gpu_nonce(Bytes transcript, const Evidence& evidence);

}  // namespace sealpack::attest
