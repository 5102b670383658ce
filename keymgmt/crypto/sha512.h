// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::crypto {

// For evidence: what most TEEs vouch for has room for 64 bytes.
std::array<std::uint8_t, 64> sha512(Bytes message);

}  // namespace sealpack::crypto
