// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "runtime-loader/core/names.h"
#include "runtime-loader/core/refusal.h"
#include "runtime-loader/core/session.h"

// What crosses between the normal world and the TEE (docs/LOADER-FORMATS.md §3): one message in,
// one message out, in the canonical encoding of FORMAT.md §2. Bulk bytes lie in the shared buffer;
// messages say where. Everything the TEE parses is bounded here.
namespace sealpack::loader {

inline constexpr std::uint32_t kProtocol = 1;
inline constexpr std::uint64_t kMaxMessageSize = 2U << 20U;
inline constexpr std::size_t kMaxTensorsInMessage = 1024;
inline constexpr std::size_t kMaxBlocksInMessage = 4096;

// `size` bytes at `at` of the shared buffer.
struct BufferRange {
  std::uint64_t at = 0;
  std::uint64_t size = 0;
  bool operator==(const BufferRange&) const = default;
};

// A tensor in the shared buffer; range.size == port.type.size().
struct BufferTensor {
  Port port;
  BufferRange range;
  bool operator==(const BufferTensor&) const = default;
};

struct BundleRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const BundleRange&) const = default;
};

// ---- host to TEE

struct LaunchMessage {  // first, once
  ByteVector config;    // serialize_launch()
  bool operator==(const LaunchMessage&) const = default;
};
struct AddBundleMessage {
  BundleId bundle = 0;
  std::uint64_t size = 0;
  std::string owner;
  std::string role;
  std::uint64_t host_time = 0;  // Unix seconds; 0: not told
  bool operator==(const AddBundleMessage&) const = default;
};
// The answer to NeedBlocksMessage: all blocks it names, each whole. They stay where they are until
// the next message; the TEE reads them there, as often as it likes, and proves every copy.
struct BlocksMessage {
  struct Block {
    BundleRange range;
    std::uint64_t at = 0;  // in the shared buffer
    bool operator==(const Block&) const = default;
  };
  BundleId bundle = 0;
  std::vector<Block> blocks;
  bool operator==(const BlocksMessage&) const = default;
};
struct RequestKeyMessage {
  BundleId bundle = 0;
  Challenge challenge;
  bool operator==(const RequestKeyMessage&) const = default;
};
struct GrantMessage {
  BundleId bundle = 0;
  ByteVector grant;  // serialize_key_grant()
  bool operator==(const GrantMessage&) const = default;
};
struct LoadMessage {
  BundleId bundle = 0;
  LoadOptions options;
};
bool operator==(const LoadMessage& a, const LoadMessage& b);
struct RunMessage {
  BundleId bundle = 0;
  std::vector<BufferTensor> inputs;  // taps may be left out: the TEE asks for them
  bool operator==(const RunMessage&) const = default;
};
struct TapMessage {  // the answer to NeedTapMessage
  BufferTensor tap;
  bool operator==(const TapMessage&) const = default;
};
struct ConfirmMessage {
  BundleId bundle = 0;
  bool operator==(const ConfirmMessage&) const = default;
};
struct ReceiptRequestMessage {
  BundleId bundle = 0;
  ByteVector nonce;  // at most 64 bytes
  bool operator==(const ReceiptRequestMessage&) const = default;
};
struct CloseMessage {
  BundleId bundle = 0;
  bool operator==(const CloseMessage&) const = default;
};
struct UnlockDeviceMessage {  // with the key that hardware released to the TEE
  BundleId bundle = 0;
  bool operator==(const UnlockDeviceMessage&) const = default;
};
struct AbandonMessage {  // gives up whatever is under way
  bool operator==(const AbandonMessage&) const = default;
};

using HostMessage =
    std::variant<LaunchMessage, AddBundleMessage, BlocksMessage, RequestKeyMessage, GrantMessage,
                 LoadMessage, RunMessage, TapMessage, ConfirmMessage, ReceiptRequestMessage,
                 CloseMessage, AbandonMessage, UnlockDeviceMessage>;
ByteVector serialize(const HostMessage& message);
Result<HostMessage> parse_host_message(Bytes bytes);  // kMalformed, kUnsupported, kLimit

// ---- TEE to host

struct DoneMessage {
  bool operator==(const DoneMessage&) const = default;
};
struct LaunchedMessage {
  Digest launch;
  Digest measurement;
  std::string tee;
  ByteVector tee_key;   // SPKI
  ByteVector evidence;  // for the key; may be empty
  bool operator==(const LaunchedMessage&) const = default;
};
// What the message before needs before it can go on; it is tried again when the blocks are there.
// Ranges that were given before and are needed again are in the list, so each answer stands alone.
struct NeedBlocksMessage {
  BundleId bundle = 0;
  std::vector<BundleRange> ranges;  // ascending; together no more than the shared buffer holds
  bool operator==(const NeedBlocksMessage&) const = default;
};
struct NeedTapMessage {
  BundleId bundle = 0;
  Port tap;
  bool operator==(const NeedTapMessage&) const = default;
};
struct NeedGrantMessage {
  BundleId bundle = 0;
  ByteVector request;  // serialize_key_request()
  bool operator==(const NeedGrantMessage&) const = default;
};
struct AnswerMessage {
  std::vector<BufferTensor> tensors;
  BufferRange sealed;  // of size 0 unless answers are sealed
  RunCounters counters;
  bool operator==(const AnswerMessage&) const = default;
};
struct LoadedMessage {
  ModelInfo model;
  bool operator==(const LoadedMessage&) const = default;
};
struct ReceiptMessage {
  ByteVector receipt;  // serialize_receipt()
  bool operator==(const ReceiptMessage&) const = default;
};
struct RefusedMessage {
  Refusal refusal;
  bool operator==(const RefusedMessage&) const = default;
};

using TeeMessage =
    std::variant<DoneMessage, LaunchedMessage, NeedBlocksMessage, NeedTapMessage, NeedGrantMessage,
                 AnswerMessage, LoadedMessage, ReceiptMessage, RefusedMessage>;
ByteVector serialize(const TeeMessage& message);
Result<TeeMessage> parse_tee_message(Bytes bytes);

}  // namespace sealpack::loader
