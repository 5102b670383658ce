// SPDX-License-Identifier: Apache-2.0
#include "attest/evidence/evidence.h"

#include <algorithm>

#include "formats/bundle/message_reader.h"
#include "formats/bundle/message_writer.h"

namespace sealpack::attest {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMaxNameSize = 64;

std::size_t place_of(std::string_view kind) {
  return static_cast<std::size_t>(
      std::find(std::begin(kEvidenceKinds), std::end(kEvidenceKinds), kind) -
      std::begin(kEvidenceKinds));
}

Result<EvidenceItem> parse_item(Bytes bytes) {
  bundle::MessageReader in(bytes, "evidence item");
  EvidenceItem item;
  item.kind = TRY(in.text(1, "kind", kMaxNameSize));
  item.bytes = to_vector(TRY(in.bytes(2, "bytes", kMaxEvidenceSize)));
  TRY(in.finish());
  return item;
}

}  // namespace

const ByteVector* Evidence::find(std::string_view kind) const {
  for (const EvidenceItem& item : items) {
    if (item.kind == kind) return &item.bytes;
  }
  return nullptr;
}

ByteVector serialize_evidence(const Evidence& evidence) {
  bundle::MessageWriter out;
  out.u64(1, kVersion).text(2, evidence.tee);
  for (const EvidenceItem& item : evidence.items) {
    out.element(3, bundle::MessageWriter().text(1, item.kind).bytes(2, item.bytes).take());
  }
  return out.take();
}

Result<Evidence> parse_evidence(Bytes bytes) {
  if (bytes.size() > kMaxEvidenceSize) {
    return Error(ErrorCode::kLimit, "evidence of " + format_size(bytes.size()) + ", at most " +
                                        format_size(kMaxEvidenceSize) + " are allowed");
  }
  bundle::MessageReader in(bytes, "evidence");
  const std::uint32_t version = TRY(in.u32(1, "version"));
  if (version != kVersion) {
    return Error(ErrorCode::kUnsupported, "evidence of version " + std::to_string(version) +
                                              ", this version knows " + std::to_string(kVersion));
  }
  Evidence evidence;
  evidence.tee = TRY(in.text(2, "tee", kMaxNameSize));
  if (evidence.tee.empty()) return in.malformed("names no TEE");
  std::size_t next = 0;
  while (TRY(in.at(3))) {
    EvidenceItem item = TRY(parse_item(TRY(in.element(3, "item"))));
    const std::size_t place = place_of(item.kind);
    if (place == std::size(kEvidenceKinds)) {
      return in.malformed("item of unknown kind " + printable(item.kind));
    }
    if (place < next) return in.malformed("items out of order or twice: " + item.kind);
    if (item.bytes.empty()) return in.malformed("empty item " + item.kind);
    next = place + 1;
    evidence.items.push_back(std::move(item));
  }
  TRY(in.finish());
  return evidence;
}

}  // namespace sealpack::attest
