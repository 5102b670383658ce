// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cbor.h"

#include <algorithm>
#include <limits>

namespace sealpack::attest {
namespace {

constexpr unsigned kMaxDepth = 16;
constexpr std::uint8_t kNull = 0xF6;

const char* name_of(CborType type) {
  switch (type) {
    case CborType::kUnsigned:
      return "a number";
    case CborType::kNegative:
      return "a negative number";
    case CborType::kBytes:
      return "bytes";
    case CborType::kText:
      return "text";
    case CborType::kArray:
      return "an array";
    case CborType::kMap:
      return "a map";
    case CborType::kTag:
      return "a tag";
    case CborType::kSimple:
      return "a simple value";
  }
  return "nothing";
}

}  // namespace

Error CborReader::malformed(std::string_view field, const std::string& why) const {
  return Error(ErrorCode::kMalformed, std::string(what_) + ", byte " + std::to_string(position_) +
                                          (field.empty() ? "" : ", " + std::string(field)) + ": " +
                                          why);
}

Status CborReader::finish() const {
  if (!at_end()) {
    return malformed("", std::to_string(input_.size() - position_) + " bytes are left over");
  }
  return done();
}

Result<CborType> CborReader::peek() const {
  if (at_end()) return malformed("", "it ends here");
  return static_cast<CborType>(input_[position_] >> 5U);
}

Result<CborReader::Head> CborReader::head() {
  if (at_end()) return malformed("", "it ends here");
  const std::uint8_t first = input_[position_];
  const auto type = static_cast<CborType>(first >> 5U);
  const unsigned info = first & 0x1FU;
  if (info < 24) {
    ++position_;
    return Head{type, info};
  }
  if (info > 27) return malformed("", "an item of indefinite length or a reserved one");
  // Major type 7 beyond one byte: floats, and simple values that no token has.
  if (type == CborType::kSimple) return malformed("", "a float or an unknown value");
  const std::size_t size = std::size_t{1} << (info - 24);
  if (input_.size() - position_ - 1 < size) return malformed("", "it ends within an item");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | input_[position_ + 1 + i];
  constexpr std::array<std::uint64_t, 4> kLeast{24, 0x100, 0x10000, 0x100000000};
  if (value < kLeast[info - 24]) return malformed("", "a number is not in its shortest form");
  position_ += 1 + size;
  return Head{type, value};
}

Result<std::uint64_t> CborReader::head_of(CborType type, std::string_view field) {
  const CborType found = TRY(peek().within(std::string(field)));
  if (found != type) {
    return malformed(field, std::string("expected ") + name_of(type) + ", found " + name_of(found));
  }
  return TRY(head().within(std::string(field))).value;
}

Result<std::uint64_t> CborReader::unsigned_number(std::string_view field) {
  return head_of(CborType::kUnsigned, field);
}

Result<std::int64_t> CborReader::number(std::string_view field) {
  const bool negative = TRY(peek()) == CborType::kNegative;
  const std::uint64_t value =
      TRY(head_of(negative ? CborType::kNegative : CborType::kUnsigned, field));
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return malformed(field, "the number does not fit 64 bits");
  }
  const auto magnitude = static_cast<std::int64_t>(value);
  return negative ? -1 - magnitude : magnitude;
}

Result<Bytes> CborReader::bytes(std::string_view field) {
  const std::uint64_t size = TRY(head_of(CborType::kBytes, field));
  if (size > input_.size() - position_) return malformed(field, "it ends within the bytes");
  const Bytes result = input_.subspan(position_, static_cast<std::size_t>(size));
  position_ += result.size();
  return result;
}

Result<std::string_view> CborReader::text(std::string_view field) {
  const std::uint64_t size = TRY(head_of(CborType::kText, field));
  if (size > input_.size() - position_) return malformed(field, "it ends within the text");
  const std::string_view result =
      as_text(input_.subspan(position_, static_cast<std::size_t>(size)));
  if (!is_utf8(result)) return malformed(field, "the text is not UTF-8");
  position_ += result.size();
  return result;
}

Result<std::uint64_t> CborReader::array(std::string_view field) {
  const std::uint64_t count = TRY(head_of(CborType::kArray, field));
  // Each element has a byte at least.
  if (count > input_.size() - position_) return malformed(field, "more elements than bytes");
  return count;
}

Result<std::uint64_t> CborReader::map(std::string_view field) {
  const std::uint64_t count = TRY(head_of(CborType::kMap, field));
  if (count > (input_.size() - position_) / 2) return malformed(field, "more pairs than bytes");
  return count;
}

Result<std::uint64_t> CborReader::tag(std::string_view field) {
  return head_of(CborType::kTag, field);
}

Result<bool> CborReader::boolean(std::string_view field) {
  const std::uint64_t value = TRY(head_of(CborType::kSimple, field));
  if (value != 20 && value != 21) return malformed(field, "expected true or false");
  return value == 21;
}

Result<bool> CborReader::take_null() {
  if (TRY(peek()) != CborType::kSimple || input_[position_] != kNull) return false;
  ++position_;
  return true;
}

Result<Bytes> CborReader::skip() {
  const std::size_t begin = position_;
  TRY(skip_item(0));
  return input_.subspan(begin, position_ - begin);
}

Status CborReader::skip_item(unsigned depth) {
  if (depth == kMaxDepth) return malformed("", "nested deeper than 16");
  const Head item = TRY(head());
  std::uint64_t children = 0;
  switch (item.type) {
    case CborType::kUnsigned:
    case CborType::kNegative:
      return done();
    case CborType::kSimple:
      if (item.value < 20 || item.value > 22) return malformed("", "a float or an unknown value");
      return done();
    case CborType::kBytes:
    case CborType::kText: {
      if (item.value > input_.size() - position_) return malformed("", "it ends within an item");
      const Bytes content = input_.subspan(position_, static_cast<std::size_t>(item.value));
      if (item.type == CborType::kText && !is_utf8(as_text(content))) {
        return malformed("", "the text is not UTF-8");
      }
      position_ += content.size();
      return done();
    }
    case CborType::kTag:
      children = 1;
      break;
    case CborType::kArray:
    case CborType::kMap:
      if (item.value > input_.size() - position_) return malformed("", "more elements than bytes");
      children = item.type == CborType::kMap ? 2 * item.value : item.value;
      break;
  }
  for (std::uint64_t i = 0; i < children; ++i) TRY(skip_item(depth + 1));
  return done();
}

Result<CborMap> CborMap::read(CborReader& in, std::string_view field) {
  CborMap map;
  const std::uint64_t count = TRY(in.map(field));
  if (count > kMaxEntries) {
    return in.malformed(field, std::to_string(count) + " entries, at most " +
                                   std::to_string(kMaxEntries) + " are allowed");
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const CborType type = TRY(in.peek());
    if (type != CborType::kUnsigned && type != CborType::kNegative && type != CborType::kText) {
      return in.malformed(field, "a key that is neither a number nor text");
    }
    const Bytes key = TRY(in.skip());
    if (map.value_of(key)) return in.malformed(field, "a key occurs twice");
    map.entries_.push_back({key, TRY(in.skip())});
  }
  return map;
}

Result<CborMap> CborMap::parse(Bytes bytes, std::string_view what) {
  CborReader in(bytes, what);
  CborMap map = TRY(read(in, ""));
  TRY(in.finish());
  return map;
}

std::optional<Bytes> CborMap::value_of(Bytes key) const {
  for (const Entry& entry : entries_) {
    if (std::equal(entry.key.begin(), entry.key.end(), key.begin(), key.end())) return entry.value;
  }
  return std::nullopt;
}

std::optional<Bytes> CborMap::find(std::int64_t key) const {
  ByteVector encoded;
  const bool negative = key < 0;
  append_cbor_head(encoded, negative ? CborType::kNegative : CborType::kUnsigned,
                   static_cast<std::uint64_t>(negative ? -1 - key : key));
  return value_of(encoded);
}

std::optional<Bytes> CborMap::find(std::string_view key) const {
  ByteVector encoded;
  append_cbor_head(encoded, CborType::kText, key.size());
  encoded.insert(encoded.end(), key.begin(), key.end());
  return value_of(encoded);
}

void append_cbor_head(ByteVector& out, CborType type, std::uint64_t value) {
  const auto major = static_cast<std::uint8_t>(static_cast<unsigned>(type) << 5U);
  if (value < 24) {
    out.push_back(static_cast<std::uint8_t>(major | value));
    return;
  }
  const unsigned log = value < 0x100 ? 0 : value < 0x10000 ? 1 : value < 0x100000000 ? 2 : 3;
  out.push_back(static_cast<std::uint8_t>(major | (24 + log)));
  for (unsigned i = 1U << log; i-- > 0;) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

}  // namespace sealpack::attest
