// SPDX-License-Identifier: Apache-2.0
#include "formats/base/base64.h"

namespace sealpack {
namespace {

constexpr std::string_view kLettersAndDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::uint32_t kNone = 64;

char digit_of(std::uint32_t value, Base64 form) {
  if (value < kLettersAndDigits.size()) return kLettersAndDigits[value];
  const bool standard = form == Base64::kStandard;
  if (value == 62) return standard ? '+' : '-';
  return standard ? '/' : '_';
}

// 0 to 63, or kNone.
std::uint32_t value_of(char digit, Base64 form) {
  if (digit >= 'A' && digit <= 'Z') return static_cast<std::uint32_t>(digit - 'A');
  if (digit >= 'a' && digit <= 'z') return static_cast<std::uint32_t>(digit - 'a') + 26;
  if (digit >= '0' && digit <= '9') return static_cast<std::uint32_t>(digit - '0') + 52;
  if (digit == digit_of(62, form)) return 62;
  return digit == digit_of(63, form) ? 63 : kNone;
}

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, "base64: " + why};
}

// `text` without the padding that its size demands.
Result<std::string_view> without_padding(std::string_view text) {
  if (text.size() % 4 != 0) return malformed("its size is no multiple of 4");
  if (text.ends_with("==")) return text.substr(0, text.size() - 2);
  if (text.ends_with('=')) return text.substr(0, text.size() - 1);
  return text;
}

}  // namespace

std::string to_base64(Bytes bytes, Base64 form) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    group = (group << 8U) | byte;
    for (bits += 8; bits >= 6; bits -= 6) out += digit_of((group >> (bits - 6)) & 63U, form);
  }
  if (bits != 0) out += digit_of((group << (6 - bits)) & 63U, form);
  while (form == Base64::kStandard && out.size() % 4 != 0) out += '=';
  return out;
}

Result<ByteVector> from_base64(std::string_view text, Base64 form) {
  const std::string_view digits = form == Base64::kStandard ? TRY(without_padding(text)) : text;
  if (digits.size() % 4 == 1) return malformed("a digit is missing or too many");
  ByteVector out;
  out.reserve(digits.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char digit : digits) {
    const std::uint32_t value = value_of(digit, form);
    if (value == kNone) return malformed("no digit: " + printable(std::string_view(&digit, 1)));
    group = (group << 6U) | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>(group >> bits));
    group &= (1U << bits) - 1;
  }
  if (group != 0) return malformed("bits behind the end");
  return out;
}

}  // namespace sealpack
