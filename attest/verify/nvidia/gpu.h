// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Proves the GPUs beside a CPU's TEE, from the items of its evidence about them (gpu_items.h); the
// nonce of each is input.gpu_nonce. Claims of nvidia-gpu, their names as there; the caller puts
// "gpu_" before them. The nonce is in report_data.
//
// That GPUs and TEE are in one machine is not proven: whoever runs the TEE's guest asked some GPUs.
Verdict verify_gpus_beside(const VerifyInput& input);

}  // namespace sealpack::attest
