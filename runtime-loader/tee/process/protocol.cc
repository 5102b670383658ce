// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/tee/process/protocol.h"

#include "formats/base/byte_reader.h"
#include "runtime-loader/core/messages.h"

namespace sealpack::tee {
namespace {

template <typename Number>
void put(ByteVector& out, Number number) {
  for (unsigned i = 0; i < sizeof number; ++i) {
    out.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
  }
}

}  // namespace

std::array<std::uint8_t, FrameHeader::kSize> serialize(const FrameHeader& header) {
  ByteVector bytes;
  put(bytes, static_cast<std::uint32_t>(header.type));
  put(bytes, header.size);
  std::array<std::uint8_t, FrameHeader::kSize> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Result<FrameHeader> parse_frame_header(Bytes bytes) {
  ByteReader reader(bytes, "frame");
  const std::uint32_t type = TRY(reader.u32("type"));
  const std::uint32_t size = TRY(reader.u32("size"));
  TRY(reader.finish());
  if (type < static_cast<std::uint32_t>(Frame::kStart) ||
      type > static_cast<std::uint32_t>(Frame::kFailed)) {
    return reader.malformed("unknown type " + std::to_string(type));
  }
  if (size > loader::kMaxMessageSize) {
    return Error(ErrorCode::kLimit, "a frame of " + std::to_string(size) + " bytes, more than " +
                                        std::to_string(loader::kMaxMessageSize));
  }
  return FrameHeader{static_cast<Frame>(type), size};
}

const char* to_string(Confinement one) {
  switch (one) {
    case Confinement::kHiddenKeys:
      return "memfd-secret";
    case Confinement::kLockedKeys:
      return "locked-keys";
    case Confinement::kLandlock:
      return "landlock";
    case Confinement::kMdwe:
      return "mdwe";
    case Confinement::kLockedMemory:
      return "locked-memory";
  }
  die("unknown confinement");
}

ByteVector serialize(const StartFrame& frame) {
  ByteVector out;
  put(out, frame.cap);
  put(out, frame.threads);
  put(out, frame.bundles);
  put(out, frame.shared_size);
  put(out, frame.spill_size);
  return out;
}

Result<StartFrame> parse_start(Bytes bytes) {
  ByteReader reader(bytes, "start frame");
  StartFrame frame;
  frame.cap = TRY(reader.u64("cap"));
  frame.threads = TRY(reader.u32("threads"));
  frame.bundles = TRY(reader.u32("bundles"));
  frame.shared_size = TRY(reader.u64("size of the shared buffer"));
  frame.spill_size = TRY(reader.u64("size of the spill area"));
  TRY(reader.finish());
  if (frame.threads < 1 || frame.threads > kMaxThreads) {
    return Error(ErrorCode::kLimit, "start frame: " + std::to_string(frame.threads) +
                                        " threads, allowed are 1 to " +
                                        std::to_string(kMaxThreads));
  }
  if (frame.bundles > kMaxBundleDescriptors) {
    return Error(ErrorCode::kLimit, "start frame: " + std::to_string(frame.bundles) +
                                        " bundles, more than " +
                                        std::to_string(kMaxBundleDescriptors));
  }
  return frame;
}

ByteVector serialize(const ReadyFrame& frame) {
  ByteVector out;
  put(out, frame.confinement);
  for (const Digest* digest : {&frame.program, &frame.policy}) {
    out.insert(out.end(), digest->bytes.begin(), digest->bytes.end());
  }
  return out;
}

Result<ReadyFrame> parse_ready(Bytes bytes) {
  ByteReader reader(bytes, "ready frame");
  ReadyFrame frame;
  frame.confinement = TRY(reader.u32("confinement"));
  frame.program.bytes = TRY(reader.array<Digest::kSize>("program"));
  frame.policy.bytes = TRY(reader.array<Digest::kSize>("policy"));
  TRY(reader.finish());
  return frame;
}

ByteVector serialize(const UseFrame& frame) {
  ByteVector out;
  for (const std::uint64_t number : {frame.base, frame.now, frame.peak, frame.text,
                                     frame.host_calls, frame.bytes_in, frame.bytes_out}) {
    put(out, number);
  }
  return out;
}

Result<UseFrame> parse_use(Bytes bytes) {
  ByteReader reader(bytes, "use frame");
  UseFrame frame;
  for (std::uint64_t* number : {&frame.base, &frame.now, &frame.peak, &frame.text,
                                &frame.host_calls, &frame.bytes_in, &frame.bytes_out}) {
    *number = TRY(reader.u64("number"));
  }
  TRY(reader.finish());
  return frame;
}

ByteVector serialize(const RoomFrame& frame) {
  ByteVector out;
  put(out, frame.available);
  put(out, frame.most);
  put(out, frame.used);
  put(out, frame.overhead);
  return out;
}

Result<RoomFrame> parse_room(Bytes bytes) {
  ByteReader reader(bytes, "room frame");
  RoomFrame frame;
  frame.available = TRY(reader.u64("available"));
  frame.most = TRY(reader.u64("most"));
  frame.used = TRY(reader.u64("used"));
  frame.overhead = TRY(reader.u64("overhead"));
  TRY(reader.finish());
  return frame;
}

ByteVector serialize(const FailedFrame& frame) {
  ByteVector out;
  put(out, frame.code);
  put(out, frame.number);
  return out;
}

Result<FailedFrame> parse_failed(Bytes bytes) {
  ByteReader reader(bytes, "failed frame");
  FailedFrame frame;
  frame.code = TRY(reader.u32("code"));
  frame.number = TRY(reader.u64("number"));
  TRY(reader.finish());
  return frame;
}

}  // namespace sealpack::tee
