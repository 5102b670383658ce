// SPDX-License-Identifier: Apache-2.0
#include "formats/bundle/message_reader.h"

namespace sealpack::bundle {
namespace {

constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kBytes = 2;

}  // namespace

Status MessageReader::peek() {
  if (peeked_) return done();
  tag_ = 0;
  if (in_.remaining() != 0) {
    tag_ = TRY(in_.varint("a field tag"));
    if (tag_ >> 3U == 0 || tag_ > 0xffffffffU) return in_.malformed("impossible field tag");
  }
  peeked_ = true;
  return done();
}

Result<bool> MessageReader::at(std::uint32_t field) {
  TRY(peek());
  return tag_ >> 3U == field;
}

Result<std::uint64_t> MessageReader::u64(std::uint32_t field, std::string_view name) {
  if (!TRY(at(field))) return std::uint64_t{0};
  if ((tag_ & 7U) != kVarint) return malformed(std::string(name) + " has the wrong wire type");
  peeked_ = false;
  const std::uint64_t value = TRY(in_.varint(name));
  if (value == 0) return malformed(std::string(name) + " is written although it is the default");
  return value;
}

Result<std::uint32_t> MessageReader::u32(std::uint32_t field, std::string_view name) {
  const std::uint64_t value = TRY(u64(field, name));
  if (value > 0xffffffffU) return malformed(std::string(name) + " exceeds 32 bits");
  return static_cast<std::uint32_t>(value);
}

Result<Bytes> MessageReader::take_bytes(std::string_view name) {
  if ((tag_ & 7U) != kBytes) return malformed(std::string(name) + " has the wrong wire type");
  peeked_ = false;
  const std::uint64_t size = TRY(in_.varint("the size of " + std::string(name)));
  return in_.bytes(size, name);
}

Result<Bytes> MessageReader::bytes(std::uint32_t field, std::string_view name,
                                   std::uint64_t limit) {
  if (!TRY(at(field))) return Bytes();
  const Bytes value = TRY(take_bytes(name));
  if (value.empty()) return malformed(std::string(name) + " is written although it is empty");
  if (value.size() > limit) {
    return malformed(std::string(name) + " has " + std::to_string(value.size()) +
                     " bytes, at most " + std::to_string(limit) + " are allowed");
  }
  return value;
}

Result<std::string> MessageReader::text(std::uint32_t field, std::string_view name,
                                        std::uint64_t limit) {
  const Bytes value = TRY(bytes(field, name, limit));
  if (!is_utf8(as_text(value))) return malformed(std::string(name) + " is not UTF-8");
  return std::string(as_text(value));
}

Result<Digest> MessageReader::digest(std::uint32_t field, std::string_view name) {
  Digest digest;
  digest.bytes = TRY(array<Digest::kSize>(field, name));
  return digest;
}

Result<Bytes> MessageReader::element(std::uint32_t field, std::string_view name) {
  if (!TRY(at(field))) return malformed(std::string(name) + " is missing");
  return take_bytes(name);
}

Result<std::vector<std::uint64_t>> MessageReader::packed(std::uint32_t field, std::string_view name,
                                                         std::size_t limit) {
  std::vector<std::uint64_t> values;
  if (!TRY(at(field))) return values;
  const Bytes list = TRY(take_bytes(name));
  if (list.empty()) return malformed(std::string(name) + " is written although it is empty");
  ByteReader in(list, name);
  while (in.remaining() != 0) {
    if (values.size() == limit) return malformed(std::string(name) + " has too many elements");
    values.push_back(TRY(in.varint(name)));
  }
  return values;
}

Status MessageReader::finish() const {
  if (peeked_ && tag_ != 0) {
    return malformed("field " + std::to_string(tag_ >> 3U) + " is unknown or out of order");
  }
  return in_.finish();
}

}  // namespace sealpack::bundle
