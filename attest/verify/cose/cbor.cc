// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/cose/cbor.h"

#include <limits>

namespace sealpack::attest {
namespace {

constexpr unsigned kMaxDepth = 16;
constexpr std::uint8_t kNull = 0xF6;
constexpr std::uint8_t kBreak = 0xFF;
constexpr unsigned kUntilBreak = 31;  // in the place of a length

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
  if (info == kUntilBreak && lengths_ == CborLengths::kAny &&
      (type == CborType::kArray || type == CborType::kMap)) {
    ++position_;
    return Head{type, 0, true};
  }
  if (info > 27) return malformed("", "an item of indefinite length or a reserved one");
  // Major type 7 beyond one byte: floats, and simple values that no token has.
  if (type == CborType::kSimple) return malformed("", "a float or an unknown value");
  const std::size_t size = std::size_t{1} << (info - 24);
  if (input_.size() - position_ - 1 < size) return malformed("", "it ends within an item");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8U | input_[position_ + 1 + i];
  position_ += 1 + size;
  return Head{type, value};
}

Result<CborReader::Head> CborReader::head_of(CborType type, std::string_view field) {
  const CborType found = TRY(peek().within(std::string(field)));
  if (found != type) {
    return malformed(field, std::string("expected ") + name_of(type) + ", found " + name_of(found));
  }
  return head().within(std::string(field));
}

Result<std::uint64_t> CborReader::unsigned_number(std::string_view field) {
  return TRY(head_of(CborType::kUnsigned, field)).value;
}

Result<std::int64_t> CborReader::number(std::string_view field) {
  const bool negative = TRY(peek()) == CborType::kNegative;
  const std::uint64_t value =
      TRY(head_of(negative ? CborType::kNegative : CborType::kUnsigned, field)).value;
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return malformed(field, "the number does not fit 64 bits");
  }
  const auto magnitude = static_cast<std::int64_t>(value);
  return negative ? -1 - magnitude : magnitude;
}

Result<Bytes> CborReader::bytes(std::string_view field) {
  const std::uint64_t size = TRY(head_of(CborType::kBytes, field)).value;
  if (size > input_.size() - position_) return malformed(field, "it ends within the bytes");
  const Bytes result = input_.subspan(position_, static_cast<std::size_t>(size));
  position_ += result.size();
  return result;
}

Result<std::string_view> CborReader::text(std::string_view field) {
  const std::uint64_t size = TRY(head_of(CborType::kText, field)).value;
  if (size > input_.size() - position_) return malformed(field, "it ends within the text");
  const std::string_view result =
      as_text(input_.subspan(position_, static_cast<std::size_t>(size)));
  if (!is_utf8(result)) return malformed(field, "the text is not UTF-8");
  position_ += result.size();
  return result;
}

Result<CborReader::Members> CborReader::members_of(const Head& head, std::string_view field) const {
  if (head.until_break) return Members{};
  // Each element has a byte at least.
  const std::size_t fit = (input_.size() - position_) / (head.type == CborType::kMap ? 2 : 1);
  if (head.value > fit) return malformed(field, "more elements than bytes");
  return Members{head.value};
}

Result<CborReader::Members> CborReader::open(CborType type, std::string_view field) {
  return members_of(TRY(head_of(type, field)), field);
}

Result<CborReader::Members> CborReader::open_array(std::string_view field) {
  return open(CborType::kArray, field);
}

Result<CborReader::Members> CborReader::open_map(std::string_view field) {
  return open(CborType::kMap, field);
}

Result<bool> CborReader::next(Members& members) {
  if (members.left) {
    if (*members.left == 0) return false;
    --*members.left;
    return true;
  }
  if (at_end()) return malformed("", "it ends before the break");
  if (input_[position_] != kBreak) return true;
  ++position_;
  return false;
}

Result<std::uint64_t> CborReader::count_of(CborType type, std::string_view field) {
  const Members members = TRY(open(type, field));
  if (!members.left) return malformed(field, "of indefinite length where a count is needed");
  return *members.left;
}

Result<std::uint64_t> CborReader::array(std::string_view field) {
  return count_of(CborType::kArray, field);
}

Result<std::uint64_t> CborReader::map(std::string_view field) {
  return count_of(CborType::kMap, field);
}

Result<std::uint64_t> CborReader::tag(std::string_view field) {
  return TRY(head_of(CborType::kTag, field)).value;
}

Result<bool> CborReader::boolean(std::string_view field) {
  const std::uint64_t value = TRY(head_of(CborType::kSimple, field)).value;
  if (value != 20 && value != 21) return malformed(field, "expected true or false");
  return value == 21;
}

Result<bool> CborReader::take_null() {
  if (TRY(peek()) != CborType::kSimple || input_[position_] != kNull) return false;
  ++position_;
  return true;
}

Result<Bytes> CborReader::skip(unsigned levels) {
  const std::size_t begin = position_;
  TRY(skip_item(levels));
  return input_.subspan(begin, position_ - begin);
}

Status CborReader::skip_bytes(const Head& head) {
  if (head.value > input_.size() - position_) return malformed("", "it ends within an item");
  const Bytes content = input_.subspan(position_, static_cast<std::size_t>(head.value));
  if (head.type == CborType::kText && !is_utf8(as_text(content))) {
    return malformed("", "the text is not UTF-8");
  }
  position_ += content.size();
  return done();
}

Status CborReader::skip_item(unsigned depth) {
  if (depth == kMaxDepth) return malformed("", "nested deeper than 16");
  const Head item = TRY(head());
  switch (item.type) {
    case CborType::kUnsigned:
    case CborType::kNegative:
      return done();
    case CborType::kSimple:
      if (item.value < 20 || item.value > 22) return malformed("", "a float or an unknown value");
      return done();
    case CborType::kBytes:
    case CborType::kText:
      return skip_bytes(item);
    case CborType::kTag:
      return skip_item(depth + 1);
    case CborType::kArray:
    case CborType::kMap:
      break;
  }
  Members members = TRY(members_of(item, ""));
  while (TRY(next(members))) {
    TRY(skip_item(depth + 1));
    if (item.type == CborType::kMap) TRY(skip_item(depth + 1));
  }
  return done();
}

Result<CborMap::Key> CborMap::read_key(CborReader& in, std::string_view field) {
  switch (TRY(in.peek())) {
    case CborType::kUnsigned:
      return Key{CborType::kUnsigned, TRY(in.unsigned_number(field)), {}};
    case CborType::kNegative:
      return Key{CborType::kNegative, static_cast<std::uint64_t>(-1 - TRY(in.number(field))), {}};
    case CborType::kText:
      return Key{CborType::kText, 0, TRY(in.text(field))};
    default:
      return in.malformed(field, "a key that is neither a number nor text");
  }
}

Result<CborMap> CborMap::read(CborReader& in, std::string_view field) {
  CborMap map;
  CborReader::Members members = TRY(in.open_map(field));
  while (TRY(in.next(members))) {
    if (map.entries_.size() == kMaxEntries) {
      return in.malformed(field, "more than " + std::to_string(kMaxEntries) + " entries");
    }
    const Key key = TRY(read_key(in, field));
    if (map.value_of(key)) return in.malformed(field, "a key occurs twice");
    map.entries_.push_back({key, TRY(in.skip(1))});
  }
  return map;
}

Result<CborMap> CborMap::parse(Bytes bytes, std::string_view what, CborLengths lengths) {
  CborReader in(bytes, what, lengths);
  CborMap map = TRY(read(in, ""));
  TRY(in.finish());
  return map;
}

std::optional<Bytes> CborMap::value_of(const Key& key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return entry.value;
  }
  return std::nullopt;
}

std::optional<Bytes> CborMap::find(std::int64_t key) const {
  if (key < 0) return value_of({CborType::kNegative, static_cast<std::uint64_t>(-1 - key), {}});
  return value_of({CborType::kUnsigned, static_cast<std::uint64_t>(key), {}});
}

std::optional<Bytes> CborMap::find(std::string_view key) const {
  return value_of({CborType::kText, 0, key});
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
