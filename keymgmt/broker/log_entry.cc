// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/log_entry.h"

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"
#include "runtime-loader/core/names.h"

namespace sealpack::broker {
namespace {

using bundle::MessageReader;
using bundle::MessageWriter;

constexpr std::uint32_t kEntryVersion = 1;
constexpr std::uint64_t kMaxDeviceSize = 256;
constexpr std::size_t kMaxCodes = 256;
constexpr std::uint64_t kMaxCodeSize = 64;
constexpr std::uint64_t kMaxWhatSize = 4096;

bool is_decision(EntryKind kind) {
  return kind == EntryKind::kGrant || kind == EntryKind::kRefusal;
}

void write_decision(MessageWriter& out, const LogEntry& entry) {
  out.u64(5, entry.transport)
      .digest(6, entry.nonce)
      .digest(7, entry.authority)
      .digest(8, entry.content)
      .digest(9, entry.release)
      .text(10, entry.tee)
      .text(11, entry.role)
      .digest(12, entry.exchange_key)
      .digest(13, entry.evidence);
  if (entry.claims != Digest{}) out.digest(14, entry.claims);
  out.bytes(15, entry.device);
  for (const std::string& code : entry.codes) out.element(16, as_bytes(code));
  out.u64(17, entry.floor);
  if (entry.instance) out.u64(18, entry.lease_until).element(19, Bytes(*entry.instance));
}

Status read_decision(MessageReader& in, LogEntry& entry) {
  entry.transport = TRY(in.u32(5, "transport"));
  if (entry.transport < 1 || entry.transport > 2) {
    return in.malformed("no transport " + std::to_string(entry.transport));
  }
  entry.nonce = TRY(in.digest(6, "nonce"));
  entry.authority = TRY(in.digest(7, "authority"));
  entry.content = TRY(in.digest(8, "content digest"));
  entry.release = TRY(in.digest(9, "release digest"));
  entry.tee = TRY(in.text(10, "TEE type", loader::kMaxLabelSize));
  entry.role = TRY(in.text(11, "role", loader::kMaxLabelSize));
  entry.exchange_key = TRY(in.digest(12, "exchange key"));
  entry.evidence = TRY(in.digest(13, "evidence"));
  if (TRY(in.at(14))) {
    entry.claims = TRY(in.digest(14, "claims"));
    if (entry.claims == Digest{}) return in.malformed("claims of which the digest is zero");
  }
  entry.device = to_vector(TRY(in.bytes(15, "device", kMaxDeviceSize)));
  while (TRY(in.at(16))) {
    const Bytes code = TRY(in.element(16, "code"));
    if (entry.codes.size() == kMaxCodes || code.empty() || code.size() > kMaxCodeSize) {
      return in.malformed("codes out of bounds");
    }
    if (!is_utf8(as_text(code))) return in.malformed("a code that is no text");
    entry.codes.emplace_back(as_text(code));
  }
  entry.floor = TRY(in.u64(17, "floor"));
  entry.lease_until = TRY(in.u64(18, "end of the lease"));
  if (entry.lease_until != 0) {
    entry.instance = TRY(in.array<sizeof(loader::Instance)>(19, "instance"));
  }
  const bool refused = entry.kind == EntryKind::kRefusal;
  if (refused == entry.codes.empty()) return in.malformed("a refusal has codes, a grant has none");
  if (refused && (entry.floor != 0 || entry.instance)) {
    return in.malformed("a refusal that grants something");
  }
  return done();
}

}  // namespace

const char* to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::kGrant:
      return "grant";
    case EntryKind::kRefusal:
      return "refusal";
    case EntryKind::kChange:
      return "change";
    case EntryKind::kOpened:
      return "opened";
  }
  die("unknown kind of log entry");
}

ByteVector serialize(const LogEntry& entry) {
  MessageWriter out;
  out.u64(1, kEntryVersion)
      .u64(2, static_cast<std::uint64_t>(entry.kind))
      .u64(3, entry.time)
      .u64(4, entry.epoch);
  if (is_decision(entry.kind)) write_decision(out, entry);
  out.text(20, entry.what);
  if (entry.epoch_id) out.element(21, Bytes(*entry.epoch_id));
  return out.take();
}

Result<LogEntry> parse_log_entry(Bytes bytes) {
  if (bytes.size() > kMaxLogEntrySize) {
    return Error(ErrorCode::kLimit, "log entry of " + std::to_string(bytes.size()) + " bytes");
  }
  MessageReader in(bytes, "log entry");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kEntryVersion) {
    return Error(ErrorCode::kUnsupported, "log entry of version " + std::to_string(version));
  }
  LogEntry entry;
  const std::uint64_t kind = TRY(in.u64(2, "kind"));
  if (kind < 1 || kind > 4) return in.malformed("no entry is of kind " + std::to_string(kind));
  entry.kind = static_cast<EntryKind>(kind);
  entry.time = TRY(in.u64(3, "time"));
  entry.epoch = TRY(in.u64(4, "epoch"));
  if (is_decision(entry.kind)) TRY(read_decision(in, entry));
  entry.what = TRY(in.text(20, "what was done", kMaxWhatSize));
  if (entry.kind == EntryKind::kOpened) {
    entry.epoch_id = TRY(in.array<sizeof(EpochId)>(21, "id of the epoch"));
  }
  TRY(in.finish());
  if (is_decision(entry.kind) != entry.what.empty()) {
    return in.malformed("a change says what was done, a decision does not");
  }
  return entry;
}

}  // namespace sealpack::broker
