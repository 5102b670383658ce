// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/inside/channel.h"

#include <unistd.h>

#include <cerrno>

namespace sealpack::tee {
namespace {

Result<std::size_t> receive(MutableBytes out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got = ::read(kControlDescriptor, out.data() + filled, out.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(ErrorCode::kIo, "the control channel is broken");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

bool send(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::write(kControlDescriptor, bytes.data(), bytes.size());
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

Result<std::optional<FrameHeader>> receive_frame(ByteVector& body) {
  std::array<std::uint8_t, FrameHeader::kSize> bytes{};
  const std::size_t got = TRY(receive(bytes));
  if (got == 0) return std::optional<FrameHeader>();
  const Error truncated(ErrorCode::kMalformed, "the control channel ends inside a frame");
  if (got < bytes.size()) return truncated;
  const FrameHeader header = TRY(parse_frame_header(bytes));
  body.resize(header.size);
  if (TRY(receive(body)) < body.size()) return truncated;
  return std::optional<FrameHeader>(header);
}

bool send_frame(Frame type, Bytes body) {
  // In one piece: every write wakes the host.
  const auto header = serialize(FrameHeader{type, static_cast<std::uint32_t>(body.size())});
  ByteVector frame(header.begin(), header.end());
  frame.insert(frame.end(), body.begin(), body.end());
  return send(frame);
}

void leave(ErrorCode code, std::uint64_t number) {
  // No memory may be left: nothing here takes any.
  std::array<std::uint8_t, FrameHeader::kSize + 12> bytes{};
  bytes[0] = static_cast<std::uint8_t>(Frame::kFailed);
  bytes[4] = 12;
  bytes[8] = static_cast<std::uint8_t>(code);
  for (unsigned i = 0; i < 8; ++i) bytes[12 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  (void)send(bytes);
  ::_exit(static_cast<int>(code));
}

}  // namespace sealpack::tee
