// SPDX-License-Identifier: Apache-2.0
#include "formats/models/json_reader.h"

#include <vector>

#include "formats/models/names.h"

namespace sealpack::models {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0U | (c >> 6U)), put(0x80U | (c & 0x3fU));
  } else if (c < 0x10000) {
    put(0xe0U | (c >> 12U)), put(0x80U | ((c >> 6U) & 0x3fU)), put(0x80U | (c & 0x3fU));
  } else {
    put(0xf0U | (c >> 18U)), put(0x80U | ((c >> 12U) & 0x3fU));
    put(0x80U | ((c >> 6U) & 0x3fU)), put(0x80U | (c & 0x3fU));
  }
}

// The character that backslash and `c` stand for, 0 if it is none of the short escapes.
char short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

}  // namespace

Error JsonReader::malformed(const std::string& why) const {
  return {ErrorCode::kMalformed,
          std::string(what_) + ", byte " + std::to_string(position_) + ": " + why};
}

Error JsonReader::beyond_limit(const std::string& why) const {
  return {ErrorCode::kLimit,
          std::string(what_) + ", byte " + std::to_string(position_) + ": " + why};
}

Error JsonReader::expected(const std::string& what) const {
  if (position_ >= text_.size()) return malformed("the text ends where " + what + " is expected");
  return malformed("expected " + what + ", found " + printable(text_.substr(position_, 1)));
}

void JsonReader::skip_space() {
  while (position_ < text_.size() && kSpace.find(text_[position_]) != std::string_view::npos) {
    ++position_;
  }
}

bool JsonReader::take(char c) {
  if (position_ >= text_.size() || text_[position_] != c) return false;
  ++position_;
  return true;
}

bool JsonReader::take_digits() {
  const std::size_t start = position_;
  while (position_ < text_.size() && is_digit(text_[position_])) ++position_;
  return position_ != start;
}

Result<JsonReader::Kind> JsonReader::peek() {
  skip_space();
  if (position_ < text_.size()) {
    switch (text_[position_]) {
      case '{':
        return Kind::kObject;
      case '[':
        return Kind::kArray;
      case '"':
        return Kind::kString;
      case 't':
      case 'f':
        return Kind::kBool;
      case 'n':
        return Kind::kNull;
      default:
        if (text_[position_] == '-' || is_digit(text_[position_])) return Kind::kNumber;
    }
  }
  return expected("a value");
}

Status JsonReader::begin(char c, std::string_view field) {
  skip_space();
  if (!take(c)) return expected(std::string(field) + " (" + c + ")");
  if (depth_ == kMaxDepth) {
    return beyond_limit("more than " + std::to_string(kMaxDepth) + " levels of nesting");
  }
  ++depth_;
  fresh_ = true;
  return done();
}

void JsonReader::end() {
  --depth_;
  fresh_ = false;  // the container around it now has a member
}

Status JsonReader::begin_object(std::string_view field) {
  return begin('{', field);
}
Status JsonReader::begin_array(std::string_view field) {
  return begin('[', field);
}

Result<std::optional<std::string>> JsonReader::next_key() {
  skip_space();
  if (take('}')) {
    end();
    return std::optional<std::string>();
  }
  if (!fresh_ && !take(',')) return expected("',' or '}'");
  fresh_ = false;
  std::string key = TRY(string("a key"));
  skip_space();
  if (!take(':')) return expected("':'");
  return std::optional<std::string>(std::move(key));
}

Result<bool> JsonReader::next_element() {
  skip_space();
  if (take(']')) {
    end();
    return false;
  }
  if (!fresh_ && !take(',')) return expected("',' or ']'");
  fresh_ = false;
  return true;
}

Result<std::string> JsonReader::string(std::string_view field) {
  skip_space();
  if (!take('"')) return expected(std::string(field) + " (a string)");
  std::string out;
  for (;;) {
    std::size_t stop = position_;
    while (stop < text_.size() && text_[stop] != '"' && text_[stop] != '\\' &&
           static_cast<std::uint8_t>(text_[stop]) >= 0x20) {
      ++stop;
    }
    out += text_.substr(position_, stop - position_);
    position_ = stop;
    if (take('"')) break;
    if (position_ >= text_.size()) return malformed("ends inside " + std::string(field));
    if (!take('\\')) return malformed("control character in " + std::string(field));
    TRY(escape(out));
  }
  // Escapes append whole characters, so that what fails here is a raw byte.
  if (!is_utf8(out)) return malformed(std::string(field) + " is not UTF-8");
  return out;
}

Status JsonReader::escape(std::string& out) {
  if (position_ >= text_.size()) return malformed("ends inside an escape");
  const char kind = text_[position_];
  if (kind != 'u') {
    const char c = short_escape(kind);
    if (c == 0) return malformed("unknown escape " + printable(text_.substr(position_, 1)));
    ++position_;
    out += c;
    return done();
  }
  ++position_;
  std::uint32_t code = TRY(hex4());
  if (code >= 0xdc00 && code <= 0xdfff) return malformed("unpaired surrogate in an escape");
  if (code >= 0xd800 && code <= 0xdbff) {
    if (!take('\\') || !take('u')) return malformed("unpaired surrogate in an escape");
    const std::uint32_t low = TRY(hex4());
    if (low < 0xdc00 || low > 0xdfff) return malformed("unpaired surrogate in an escape");
    code = 0x10000U + ((code - 0xd800U) << 10U) + (low - 0xdc00U);
  }
  append_utf8(out, code);
  return done();
}

Result<std::uint32_t> JsonReader::hex4() {
  if (text_.size() - position_ < 4) return malformed("ends inside an escape");
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i, ++position_) {
    const char c = text_[position_];
    std::uint32_t digit = 0;
    if (is_digit(c))
      digit = static_cast<std::uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<std::uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<std::uint32_t>(c - 'A' + 10);
    else
      return expected("a hex digit");
    code = code << 4U | digit;
  }
  return code;
}

Result<std::string_view> JsonReader::number(std::string_view field) {
  skip_space();
  const std::size_t start = position_;
  (void)take('-');
  if (!take('0') && !take_digits()) return expected(std::string(field) + " (a number)");
  if (position_ < text_.size() && is_digit(text_[position_])) {
    return malformed(std::string(field) + " starts with a zero");
  }
  if (take('.') && !take_digits()) return expected("a digit");
  if (take('e') || take('E')) {
    if (!take('+')) (void)take('-');
    if (!take_digits()) return expected("a digit");
  }
  return text_.substr(start, position_ - start);
}

Result<std::uint64_t> JsonReader::integer(std::string_view field) {
  const std::string_view digits = TRY(number(field));
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return malformed(std::string(field) + " is not an unsigned integer");
    const auto shifted = checked_multiply(value, 10);
    const auto sum = shifted ? checked_add(*shifted, static_cast<std::uint64_t>(c - '0')) : shifted;
    if (!sum) return malformed(std::string(field) + " exceeds 64 bits");
    value = *sum;
  }
  return value;
}

Status JsonReader::literal(std::string_view word, std::string_view field) {
  if (text_.substr(position_, word.size()) != word) return expected(std::string(field));
  position_ += word.size();
  return done();
}

Result<bool> JsonReader::boolean(std::string_view field) {
  skip_space();
  const bool value = position_ < text_.size() && text_[position_] == 't';
  TRY(literal(value ? "true" : "false", field));
  return value;
}

Status JsonReader::null(std::string_view field) {
  skip_space();
  return literal("null", field);
}

Status JsonReader::skip_object() {
  TRY(begin_object("an object"));
  std::vector<std::string> keys;
  while (auto key = TRY(next_key())) {
    if (keys.size() == kMaxSkippedKeys) {
      return beyond_limit("more than 2^16 keys in an object nobody asked for");
    }
    keys.push_back(std::move(*key));
    TRY(skip_value());
  }
  if (const auto twin = find_duplicate({keys.begin(), keys.end()})) {
    return malformed("duplicate key " + shown(*twin));
  }
  return done();
}

Status JsonReader::skip_value() {
  switch (TRY(peek())) {
    case Kind::kObject:
      return skip_object();
    case Kind::kArray:
      TRY(begin_array("an array"));
      while (TRY(next_element())) TRY(skip_value());
      return done();
    case Kind::kString:
      TRY(string("a string"));
      break;
    case Kind::kNumber:
      TRY(number("a number"));
      break;
    case Kind::kBool:
      TRY(boolean("true or false"));
      break;
    case Kind::kNull:
      return null("null");
  }
  return done();
}

Status JsonReader::finish(std::string_view permitted) {
  while (position_ < text_.size() && permitted.find(text_[position_]) != std::string_view::npos) {
    ++position_;
  }
  if (position_ < text_.size()) {
    return malformed(std::to_string(text_.size() - position_) + " bytes left over");
  }
  return done();
}

}  // namespace sealpack::models
