// SPDX-License-Identifier: Apache-2.0
// Messages from the TEE to the normal world.
#include "runtime-loader/core/message_parts.h"

namespace sealpack::loader {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;
using internal::parse_list;

constexpr std::uint32_t kFirstKind = 65;  // kinds are numbered in the order of TeeMessage

ByteVector serialize_counters(const RunCounters& counters) {
  return MessageWriter()
      .u64(1, counters.weights_read)
      .u64(2, counters.spill_stored)
      .u64(3, counters.spill_loaded)
      .u64(4, internal::plus_one(counters.answers_left))
      .take();
}

void add_ports(MessageWriter& out, std::uint32_t field, const std::vector<Port>& ports) {
  for (const Port& port : ports) out.element(field, internal::serialize_port(port));
}

// ---- bodies, in the order of TeeMessage

ByteVector body(const DoneMessage&) {
  return {};
}
ByteVector body(const LaunchedMessage& message) {
  return MessageWriter()
      .digest(1, message.launch)
      .digest(2, message.measurement)
      .text(3, message.tee)
      .bytes(4, message.tee_key)
      .bytes(5, message.evidence)
      .take();
}
ByteVector body(const NeedBlocksMessage& message) {
  MessageWriter out;
  out.u64(1, message.bundle);
  for (const BundleRange& range : message.ranges) {
    out.element(2, MessageWriter().u64(1, range.offset).u64(2, range.size).take());
  }
  return out.take();
}
ByteVector body(const NeedTapMessage& message) {
  return MessageWriter()
      .u64(1, message.bundle)
      .element(2, internal::serialize_port(message.tap))
      .take();
}
ByteVector body(const NeedGrantMessage& message) {
  return MessageWriter().u64(1, message.bundle).bytes(2, message.request).take();
}
ByteVector body(const AnswerMessage& message) {
  MessageWriter out;
  for (const BufferTensor& tensor : message.tensors) {
    out.element(1, internal::serialize_tensor(tensor));
  }
  return out.u64(2, message.sealed.at)
      .u64(3, message.sealed.size)
      .bytes(4, serialize_counters(message.counters))
      .take();
}
ByteVector body(const LoadedMessage& message) {
  MessageWriter out;
  add_ports(out, 1, message.model.inputs);
  add_ports(out, 2, message.model.taps);
  add_ports(out, 3, message.model.outputs);
  return out.u64(4, message.model.sealed_answers ? 1 : 0)
      .u64(5, message.model.peak)
      .u64(6, message.model.unlimited_peak)
      .u64(7, message.model.least_limit)
      .u64(8, message.model.resident_weights)
      .u64(9, message.model.streamed)
      .take();
}
ByteVector body(const ReceiptMessage& message) {
  return MessageWriter().bytes(1, message.receipt).take();
}
ByteVector body(const RefusedMessage& message) {
  return MessageWriter()
      .u64(1, static_cast<std::uint64_t>(message.refusal.code))
      .u64(2, static_cast<std::uint64_t>(message.refusal.stage))
      .u64(3, message.refusal.number)
      .take();
}

Result<TeeMessage> parse_done(MessageReader&) {
  return TeeMessage(DoneMessage{});
}
Result<TeeMessage> parse_launched(MessageReader& in) {
  LaunchedMessage message;
  message.launch = TRY(in.digest(1, "launch digest"));
  message.measurement = TRY(in.digest(2, "measurement"));
  message.tee = TRY(in.text(3, "TEE type", kMaxLabelSize));
  message.tee_key = to_vector(TRY(in.bytes(4, "key", internal::kMaxSmallBytes)));
  message.evidence = to_vector(TRY(in.bytes(5, "evidence", kMaxEvidenceSize)));
  return TeeMessage(std::move(message));
}
Result<BundleRange> parse_range(Bytes bytes) {
  MessageReader in(bytes, "range");
  BundleRange range;
  range.offset = TRY(in.u64(1, "offset"));
  range.size = TRY(in.u64(2, "size"));
  TRY(in.finish());
  return range;
}
Result<TeeMessage> parse_need_blocks(MessageReader& in) {
  NeedBlocksMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.ranges = TRY(parse_list(in, 2, "ranges", kMaxBlocksInMessage, parse_range));
  return TeeMessage(std::move(message));
}
Result<TeeMessage> parse_need_tap(MessageReader& in) {
  NeedTapMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.tap = TRY(internal::parse_port(TRY(in.element(2, "tap"))));
  return TeeMessage(std::move(message));
}
Result<TeeMessage> parse_need_grant(MessageReader& in) {
  NeedGrantMessage message;
  message.bundle = TRY(in.u32(1, "bundle"));
  message.request = to_vector(TRY(in.bytes(2, "key request", kMaxKeyRequestSize)));
  return TeeMessage(std::move(message));
}
Result<RunCounters> parse_counters(Bytes bytes) {
  RunCounters counters;
  MessageReader in(bytes, "counters");
  counters.weights_read = TRY(in.u64(1, "bytes of weights"));
  counters.spill_stored = TRY(in.u64(2, "bytes stored"));
  counters.spill_loaded = TRY(in.u64(3, "bytes loaded"));
  counters.answers_left = internal::minus_one(TRY(in.u64(4, "answers left plus one")));
  TRY(in.finish());
  return counters;
}
Result<TeeMessage> parse_answer(MessageReader& in) {
  AnswerMessage message;
  message.tensors = TRY(parse_list(in, 1, "answers", kMaxTensorsInMessage, internal::parse_tensor));
  message.sealed.at = TRY(in.u64(2, "place of the sealed answer"));
  message.sealed.size = TRY(in.u64(3, "size of the sealed answer"));
  message.counters = TRY(parse_counters(TRY(in.bytes(4, "counters", 64))));
  return TeeMessage(std::move(message));
}
Result<TeeMessage> parse_loaded(MessageReader& in) {
  LoadedMessage message;
  ModelInfo& model = message.model;
  model.inputs = TRY(parse_list(in, 1, "inputs", kMaxTensorsInMessage, internal::parse_port));
  model.taps = TRY(parse_list(in, 2, "taps", kMaxTensorsInMessage, internal::parse_port));
  model.outputs = TRY(parse_list(in, 3, "outputs", kMaxTensorsInMessage, internal::parse_port));
  const std::uint32_t sealed = TRY(in.u32(4, "sealed answers"));
  if (sealed > 1) return in.malformed("sealed answers is neither yes nor no");
  model.sealed_answers = sealed == 1;
  model.peak = TRY(in.u64(5, "peak"));
  model.unlimited_peak = TRY(in.u64(6, "unlimited peak"));
  model.least_limit = TRY(in.u64(7, "least limit"));
  model.resident_weights = TRY(in.u64(8, "resident weights"));
  model.streamed = TRY(in.u64(9, "streamed weights"));
  return TeeMessage(std::move(message));
}
Result<TeeMessage> parse_receipt_message(MessageReader& in) {
  return TeeMessage(ReceiptMessage{to_vector(TRY(in.bytes(1, "receipt", kMaxReceiptSize)))});
}
Result<TeeMessage> parse_refused(MessageReader& in) {
  const std::uint32_t code = TRY(in.u32(1, "code"));
  const std::uint32_t stage = TRY(in.u32(2, "stage"));
  RefusedMessage message;
  message.refusal.number = TRY(in.u64(3, "number"));
  if (code == 0 || code > 255) return in.malformed("impossible code");
  if (stage == 0 || stage > static_cast<std::uint32_t>(Stage::kReceipt)) {
    return in.malformed("unknown stage");
  }
  message.refusal.code = static_cast<ErrorCode>(code);
  message.refusal.stage = static_cast<Stage>(stage);
  return TeeMessage(std::move(message));
}

using Parser = Result<TeeMessage> (*)(MessageReader&);
constexpr std::array<Parser, std::variant_size_v<TeeMessage>> kParsers = {
    parse_done,   parse_launched, parse_need_blocks,     parse_need_tap, parse_need_grant,
    parse_answer, parse_loaded,   parse_receipt_message, parse_refused};

}  // namespace

ByteVector serialize(const TeeMessage& message) {
  const ByteVector bytes = std::visit([](const auto& kind) { return body(kind); }, message);
  return internal::envelope(static_cast<std::uint32_t>(message.index()) + kFirstKind, bytes);
}

Result<TeeMessage> parse_tee_message(Bytes bytes) {
  const internal::Opened opened = TRY(internal::open_envelope(bytes));
  const std::uint32_t index = opened.kind - kFirstKind;  // wraps below
  if (index >= kParsers.size()) {
    return Error(ErrorCode::kMalformed,
                 "no message of a TEE has kind " + std::to_string(opened.kind));
  }
  MessageReader in(opened.body, "message of the TEE");
  TeeMessage message = TRY(kParsers[index](in));
  TRY(in.finish());
  return TeeMessage(std::move(message));
}

}  // namespace sealpack::loader
