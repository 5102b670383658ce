// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::attest {

// A CCEL as firmware leaves it is all the memory that was set aside for it, more than evidence may
// have.
inline constexpr std::uint64_t kMaxPaddedLog = std::uint64_t{1} << 20U;

// The log without most of the 0xff or zeros that end it. Some stay: the last event's data may end
// so too, and readers of such logs pass over padding anyway.
Bytes without_padding(Bytes log);

}  // namespace sealpack::attest
