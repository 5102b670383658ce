// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/fetch/fetch.h"

namespace sealpack::attest {

// Questions to NVIDIA's OCSP responder about the certificates of the evidence's GPUs that it
// issued: of each all but the chip's own, the first, and the root. What several GPUs share is asked
// once; without a GPU there are none. kMalformed for certificates that are no chain.
Result<std::vector<FetchItem>> plan_gpus(const Evidence& evidence, const FetchOptions& options);

}  // namespace sealpack::attest
