// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/message_writer.h"

namespace sealpack::bundle {
namespace {

constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kBytes = 2;

std::uint64_t tag(std::uint32_t field, std::uint64_t wire_type) {
  return (std::uint64_t{field} << 3U) | wire_type;
}

}  // namespace

void MessageWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out_.push_back(static_cast<std::uint8_t>(value | 0x80U));
  out_.push_back(static_cast<std::uint8_t>(value));
}

void MessageWriter::sized(std::uint32_t field, Bytes value) {
  varint(tag(field, kBytes));
  varint(value.size());
  out_.insert(out_.end(), value.begin(), value.end());
}

MessageWriter& MessageWriter::u64(std::uint32_t field, std::uint64_t value) {
  if (value == 0) return *this;
  varint(tag(field, kVarint));
  varint(value);
  return *this;
}

MessageWriter& MessageWriter::bytes(std::uint32_t field, Bytes value) {
  if (!value.empty()) sized(field, value);
  return *this;
}

MessageWriter& MessageWriter::element(std::uint32_t field, Bytes value) {
  sized(field, value);
  return *this;
}

MessageWriter& MessageWriter::packed(std::uint32_t field, std::span<const std::uint64_t> values) {
  if (values.empty()) return *this;
  MessageWriter list;
  for (const std::uint64_t value : values) list.varint(value);
  sized(field, list.out_);
  return *this;
}

}  // namespace sealpack::bundle
