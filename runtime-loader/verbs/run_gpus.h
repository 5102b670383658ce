// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "runtime-loader/core/grant.h"

namespace sealpack::loader {

// The request of a TEE with reports of the machine's GPUs, all of them, beside its evidence: each
// over the nonce that binds it to this request ([L-2.1.3]). `nvml`: NVIDIA's management library;
// empty: that of the system. Errors of attest::collect_gpus; kLimit for evidence that is too large.
Result<KeyRequest> with_gpus(KeyRequest request, const std::filesystem::path& nvml);

}  // namespace sealpack::loader
