// SPDX-License-Identifier: Apache-2.0
#include "attest/files/text_encodings.h"

namespace sealpack::attest {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string without_space(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char letter : text) {
    if (kSpace.find(letter) == std::string_view::npos) out += letter;
  }
  return out;
}

Error bad_base64(const std::string& why) {
  return Error(ErrorCode::kMalformed, "base64: " + why);
}

// 0 to 63; 64 for what is no digit.
std::uint32_t base64_digit(char letter) {
  if (letter >= 'A' && letter <= 'Z') return static_cast<std::uint32_t>(letter - 'A');
  if (letter >= 'a' && letter <= 'z') return static_cast<std::uint32_t>(letter - 'a') + 26;
  if (letter >= '0' && letter <= '9') return static_cast<std::uint32_t>(letter - '0') + 52;
  if (letter == '+' || letter == '-') return 62;
  if (letter == '/' || letter == '_') return 63;
  return 64;
}

}  // namespace

Result<ByteVector> decode_hex_text(std::string_view text) {
  return from_hex(without_space(text));
}

Result<ByteVector> decode_base64(std::string_view text) {
  std::string digits = without_space(text);
  const std::size_t end = digits.find('=');
  if (end != std::string::npos) {
    const std::size_t padding = digits.size() - end;
    if (digits.size() % 4 != 0 || padding > 2 || digits.find_first_not_of('=', end) < digits.size())
      return bad_base64("wrong padding");
    digits.resize(end);
  }
  const bool standard = digits.find_first_of("+/") != std::string::npos;
  const bool url_safe = digits.find_first_of("-_") != std::string::npos;
  if (standard && url_safe) return bad_base64("two alphabets at once");
  if (digits.size() % 4 == 1) return bad_base64("a digit is missing or too many");
  ByteVector out;
  out.reserve(digits.size() / 4 * 3 + 2);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (const char letter : digits) {
    const std::uint32_t digit = base64_digit(letter);
    if (digit == 64) return bad_base64("no digit: " + printable(std::string_view(&letter, 1)));
    buffer = (buffer << 6U) | digit;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>(buffer >> bits));
    buffer &= (1U << bits) - 1;
  }
  if (buffer != 0) return bad_base64("bits behind the end");
  return out;
}

}  // namespace sealpack::attest
