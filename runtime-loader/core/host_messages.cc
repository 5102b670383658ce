// SPDX-License-Identifier: Apache-2.0
// Messages from the normal world to the TEE.
#include "runtime-loader/core/message_parts.h"

namespace sealpack::loader {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;
using internal::parse_list;

constexpr std::uint32_t kFirstKind = 1;  // kinds are numbered in the order of HostMessage
constexpr std::size_t kMaxNonceSize = 64;
constexpr std::size_t kMaxChallengeIdSize = 256;
constexpr std::size_t kMaxShapes = 256;

// ---- bodies, in the order of HostMessage

ByteVector body(const LaunchMessage& message) {
  return MessageWriter().bytes(1, message.config).take();
}
ByteVector body(const AddBundleMessage& message) {
  return MessageWriter()
      .u64(1, message.bundle)
      .u64(2, message.size)
      .text(3, message.owner)
      .text(4, message.role)
      .u64(5, message.host_time)
      .take();
}
ByteVector body(const BlocksMessage& message) {
  MessageWriter out;
  out.u64(1, message.bundle);
  for (const BlocksMessage::Block& block : message.blocks) {
    out.element(2, MessageWriter()
                       .u64(1, block.range.offset)
                       .u64(2, block.range.size)
                       .u64(3, block.at)
                       .take());
  }
  return out.take();
}
ByteVector body(const RequestKeyMessage& message) {
  return MessageWriter()
      .u64(1, message.bundle)
      .bytes(2, message.challenge.nonce)
      .bytes(3, message.challenge.id)
      .take();
}
ByteVector body(const GrantMessage& message) {
  return MessageWriter().u64(1, message.bundle).bytes(2, message.grant).take();
}
ByteVector body(const LoadMessage& message) {
  MessageWriter out;
  out.u64(1, message.bundle).text(2, message.options.model);
  for (const auto& [name, shape] : message.options.input_shapes) {
    std::vector<std::uint64_t> dims;
    for (const std::int64_t dim : shape.dims()) dims.push_back(static_cast<std::uint64_t>(dim));
    out.element(3, MessageWriter().text(1, name).packed(2, dims).take());
  }
  return out.u64(4, internal::plus_one(message.options.memory_limit))
      .u64(5, message.options.may_spill ? 1 : 0)
      .take();
}
ByteVector body(const RunMessage& message) {
  MessageWriter out;
  out.u64(1, message.bundle);
  for (const BufferTensor& input : message.inputs) {
    out.element(2, internal::serialize_tensor(input));
  }
  return out.take();
}
ByteVector body(const TapMessage& message) {
  return MessageWriter().element(1, internal::serialize_tensor(message.tap)).take();
}
ByteVector body(const ConfirmMessage& message) {
  return MessageWriter().u64(1, message.bundle).take();
}
ByteVector body(const ReceiptRequestMessage& message) {
  return MessageWriter().u64(1, message.bundle).bytes(2, message.nonce).take();
}
ByteVector body(const CloseMessage& message) {
  return MessageWriter().u64(1, message.bundle).take();
}
ByteVector body(const AbandonMessage&) {
  return {};
}
ByteVector body(const UnlockDeviceMessage& message) {
  return MessageWriter().u64(1, message.bundle).take();
}

Result<HostMessage> parse_launch_message(MessageReader& in) {
  return HostMessage(
      LaunchMessage{to_vector(TRY(in.bytes(1, "launch configuration", kMaxLaunchSize)))});
}
Result<HostMessage> parse_add_bundle(MessageReader& in) {
  AddBundleMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.size = TRY(in.u64(2, "size"));
  message.owner = TRY(in.text(3, "owner", kMaxLabelSize));
  message.role = TRY(in.text(4, "role", kMaxLabelSize));
  message.host_time = TRY(in.u64(5, "time"));
  return HostMessage(std::move(message));
}
Result<BlocksMessage::Block> parse_block(Bytes bytes) {
  MessageReader in(bytes, "block");
  BlocksMessage::Block block;
  block.range.offset = TRY(in.u64(1, "offset"));
  block.range.size = TRY(in.u64(2, "size"));
  block.at = TRY(in.u64(3, "place"));
  TRY(in.finish());
  return block;
}
Result<HostMessage> parse_blocks(MessageReader& in) {
  BlocksMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.blocks = TRY(parse_list(in, 2, "blocks", kMaxBlocksInMessage, parse_block));
  return HostMessage(std::move(message));
}
Result<HostMessage> parse_request_key(MessageReader& in) {
  RequestKeyMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.challenge.nonce = to_vector(TRY(in.bytes(2, "nonce", kMaxNonceSize)));
  message.challenge.id = to_vector(TRY(in.bytes(3, "challenge id", kMaxChallengeIdSize)));
  return HostMessage(std::move(message));
}
Result<HostMessage> parse_grant(MessageReader& in) {
  GrantMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.grant = to_vector(TRY(in.bytes(2, "grant", kMaxKeyGrantSize)));
  return HostMessage(std::move(message));
}
struct NamedShape {
  std::string name;
  nn::Shape shape;
};
Result<NamedShape> parse_shape(Bytes bytes) {
  MessageReader in(bytes, "input shape");
  NamedShape out;
  out.name = TRY(in.text(1, "name", kMaxNameSize));
  std::vector<std::int64_t> dims;
  for (const std::uint64_t dim : TRY(in.packed(2, "dimensions", nn::kMaxRank))) {
    if (dim > static_cast<std::uint64_t>(nn::kMaxElements)) {
      return in.malformed("a dimension of " + std::to_string(dim));
    }
    dims.push_back(static_cast<std::int64_t>(dim));
  }
  TRY(in.finish());
  if (out.name.empty()) return in.malformed("an input without a name");
  out.shape = TRY(nn::Shape::make(dims));
  return out;
}
Result<HostMessage> parse_load(MessageReader& in) {
  LoadMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.options.model = TRY(in.text(2, "model", kMaxNameSize));
  std::string last;
  for (NamedShape& shape : TRY(parse_list(in, 3, "input shapes", kMaxShapes, parse_shape))) {
    if (!last.empty() && !(last < shape.name)) return in.malformed("input shapes out of order");
    last = shape.name;
    message.options.input_shapes[std::move(shape.name)] = shape.shape;
  }
  message.options.memory_limit = internal::minus_one(TRY(in.u64(4, "memory limit plus one")));
  const std::uint32_t spill = TRY(in.u32(5, "may spill"));
  if (spill > 1) return in.malformed("may spill is neither yes nor no");
  message.options.may_spill = spill == 1;
  return HostMessage(std::move(message));
}
Result<HostMessage> parse_run(MessageReader& in) {
  RunMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.inputs = TRY(parse_list(in, 2, "inputs", kMaxTensorsInMessage, internal::parse_tensor));
  return HostMessage(std::move(message));
}
Result<HostMessage> parse_tap(MessageReader& in) {
  const Bytes tensor = TRY(in.element(1, "tap"));
  return HostMessage(TapMessage{TRY(internal::parse_tensor(tensor))});
}
Result<HostMessage> parse_confirm(MessageReader& in) {
  return HostMessage(ConfirmMessage{TRY(in.u32(1, "bundle"))});
}
Result<HostMessage> parse_receipt_request(MessageReader& in) {
  ReceiptRequestMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.nonce = to_vector(TRY(in.bytes(2, "nonce", kMaxNonceSize)));
  return HostMessage(std::move(message));
}
Result<HostMessage> parse_close(MessageReader& in) {
  return HostMessage(CloseMessage{TRY(in.u32(1, "bundle"))});
}
Result<HostMessage> parse_abandon(MessageReader&) {
  return HostMessage(AbandonMessage{});
}
Result<HostMessage> parse_unlock_device(MessageReader& in) {
  return HostMessage(UnlockDeviceMessage{TRY(in.u32(1, "bundle"))});
}

using Parser = Result<HostMessage> (*)(MessageReader&);
constexpr std::array<Parser, std::variant_size_v<HostMessage>> kParsers = {parse_launch_message,
                                                                           parse_add_bundle,
                                                                           parse_blocks,
                                                                           parse_request_key,
                                                                           parse_grant,
                                                                           parse_load,
                                                                           parse_run,
                                                                           parse_tap,
                                                                           parse_confirm,
                                                                           parse_receipt_request,
                                                                           parse_close,
                                                                           parse_abandon,
                                                                           parse_unlock_device};

}  // namespace

bool operator==(const LoadMessage& a, const LoadMessage& b) {
  return a.bundle == b.bundle && a.options.model == b.options.model &&
         a.options.input_shapes == b.options.input_shapes &&
         a.options.memory_limit == b.options.memory_limit &&
         a.options.may_spill == b.options.may_spill;
}

ByteVector serialize(const HostMessage& message) {
  const ByteVector bytes = std::visit([](const auto& kind) { return body(kind); }, message);
  return internal::envelope(static_cast<std::uint32_t>(message.index()) + kFirstKind, bytes);
}

Result<HostMessage> parse_host_message(Bytes bytes) {
  const internal::Opened opened = TRY(internal::open_envelope(bytes));
  const std::uint32_t index = opened.kind - kFirstKind;  // wraps for 0
  if (index >= kParsers.size()) {
    return Error(ErrorCode::kMalformed,
                 "no message to the TEE has kind " + std::to_string(opened.kind));
  }
  MessageReader in(opened.body, "message to the TEE");
  HostMessage message = TRY(kParsers[index](in));
  TRY(in.finish());
  return message;
}

}  // namespace sealpack::loader
