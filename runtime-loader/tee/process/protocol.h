// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "formats/base/bytes.h"

// What goes over the control channel between the host and the program `sealpack-tee`, in frames
// around the messages of the core. Both ends bound and check what they read.
namespace sealpack::tee {

// Descriptors the program is started with; bundle n is kFirstBundleDescriptor + n. The range is
// aligned to its size, so that one mask in the system call filter describes it.
inline constexpr int kControlDescriptor = 3;
inline constexpr int kSharedDescriptor = 4;
// A pipe with the private key that signs simulated evidence (PKCS#8); not there without one. Read
// to its end and closed before anything else is read.
inline constexpr int kEvidenceKeyDescriptor = 5;
inline constexpr int kFirstBundleDescriptor = 16;
inline constexpr std::uint32_t kMaxBundleDescriptors = 16;
inline constexpr std::uint32_t kMaxThreads = 64;

enum class Frame : std::uint32_t {
  kStart = 1,  // host: StartFrame; TEE: ReadyFrame
  kStep = 2,   // host: a message; TEE: its answer
  kUse = 3,    // host: nothing; TEE: UseFrame
  kRoom = 4,   // host: nothing; TEE: RoomFrame
  // TEE, its last: FailedFrame
  kFailed = 5,
};

// type u32, size u32 of what follows, both little-endian.
struct FrameHeader {
  static constexpr std::size_t kSize = 8;
  Frame type{};
  std::uint32_t size = 0;
};
std::array<std::uint8_t, FrameHeader::kSize> serialize(const FrameHeader& header);
// kMalformed for a type that is not above; kLimit above kMaxMessageSize.
Result<FrameHeader> parse_frame_header(Bytes bytes);

struct StartFrame {
  std::uint64_t cap = 0;  // secure bytes; 0: not limited
  std::uint32_t threads = 1;
  std::uint32_t bundles = 0;      // descriptors
  std::uint64_t shared_size = 0;  // of the shared memory, the part for inputs and answers,
  std::uint64_t spill_size = 0;   // followed by the part for sealed activations
  bool operator==(const StartFrame&) const = default;
};

// What the program says holds it in, besides the system call filter, without which it does not
// start.
enum class Confinement : std::uint32_t {
  kHiddenKeys = 1U << 0U,  // secrets in memfd_secret
  kLockedKeys = 1U << 1U,  // or locked in memory
  kLandlock = 1U << 2U,    // no file system
  kMdwe = 1U << 3U,        // the kernel refuses to make memory executable (and so does the filter)
  kLockedMemory = 1U << 4U,  // weights and activations do not reach swap
};
const char* to_string(Confinement one);  // "landlock"
inline constexpr Confinement kAllConfinement[] = {Confinement::kHiddenKeys,
                                                  Confinement::kLockedKeys, Confinement::kLandlock,
                                                  Confinement::kMdwe, Confinement::kLockedMemory};

struct UseFrame {
  std::uint64_t base = 0;
  std::uint64_t now = 0;
  std::uint64_t peak = 0;
  std::uint64_t text = 0;
  std::uint64_t host_calls = 0;
  std::uint64_t bytes_in = 0;   // read from bundles and spill
  std::uint64_t bytes_out = 0;  // written to spill
  bool operator==(const UseFrame&) const = default;
};

struct RoomFrame {  // as tee::SecureRoom
  std::uint64_t available = 0;
  std::uint64_t most = 0;
  std::uint64_t used = 0;
  std::uint64_t overhead = 0;
  bool operator==(const RoomFrame&) const = default;
};

struct ReadyFrame {
  std::uint32_t confinement = 0;  // of Confinement
  Digest program;                 // what is part of its measurement: its own file,
  Digest policy;                  // and the list of system calls with the cap
  bool operator==(const ReadyFrame&) const = default;
};

struct FailedFrame {
  std::uint32_t code = 0;    // ErrorCode; kLimit: out of secure memory
  std::uint64_t number = 0;  // for kLimit the bytes in use
  bool operator==(const FailedFrame&) const = default;
};

ByteVector serialize(const StartFrame& frame);
ByteVector serialize(const ReadyFrame& frame);
ByteVector serialize(const UseFrame& frame);
ByteVector serialize(const RoomFrame& frame);
ByteVector serialize(const FailedFrame& frame);
// kMalformed, kLimit for counts above those given here.
Result<StartFrame> parse_start(Bytes bytes);
Result<ReadyFrame> parse_ready(Bytes bytes);
Result<UseFrame> parse_use(Bytes bytes);
Result<RoomFrame> parse_room(Bytes bytes);
Result<FailedFrame> parse_failed(Bytes bytes);

}  // namespace sealpack::tee
