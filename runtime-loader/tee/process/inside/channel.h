// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "runtime-loader/tee/process/protocol.h"

namespace sealpack::tee {

// The program's end of the control channel.

// The next frame's body in `body`, whose memory is used again. Nothing at the end of the session;
// kMalformed, kLimit, kIo.
Result<std::optional<FrameHeader>> receive_frame(ByteVector& body);

// False when the host is gone.
bool send_frame(Frame type, Bytes body);

// Tells the host why and ends the process, without a word to anybody else.
[[noreturn]] void leave(ErrorCode code, std::uint64_t number = 0);

}  // namespace sealpack::tee
