// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Proves the GPU beside a CPU's TEE, from the items gpu-request, gpu-report and gpu-certificates of
// its evidence; the nonce is input.gpu_nonce. Claims of nvidia-gpu, their names as there; the
// caller puts "gpu_" before them. The nonce is in report_data.
//
// That GPU and TEE are in one machine is not proven: whoever runs the TEE's guest asked some GPU.
Verdict verify_gpu_beside(const VerifyInput& input);

// Whether evidence has any item about a GPU.
bool has_gpu_items(const Evidence& evidence);

}  // namespace sealpack::attest
