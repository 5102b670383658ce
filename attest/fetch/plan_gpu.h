// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/fetch/fetch.h"

namespace sealpack::attest {

// Questions to NVIDIA's OCSP responder about the certificates of a GPU that it issued: all but the
// chip's own, the first, and the root. kMalformed for certificates that are no chain.
Result<std::vector<FetchItem>> plan_gpu(Bytes certificates, const FetchOptions& options);

}  // namespace sealpack::attest
