// SPDX-License-Identifier: Apache-2.0
#include "attest/files/text_encodings.h"

#include <algorithm>

#include "formats/base/base64.h"

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

}  // namespace

Result<ByteVector> decode_hex_text(std::string_view text) {
  return from_hex(without_space(text));
}

Result<ByteVector> decode_base64(std::string_view text) {
  std::string digits = without_space(text);
  const bool standard = digits.find_first_of("+/") != std::string::npos;
  const bool url_safe = digits.find_first_of("-_") != std::string::npos;
  if (standard && url_safe) return Error(ErrorCode::kMalformed, "base64: two alphabets at once");
  const Base64 form = digits.ends_with('=') ? Base64::kStandard : Base64::kUrl;
  const auto write_as = [&](char other, char own) {
    if (form == Base64::kStandard) std::swap(other, own);
    std::replace(digits.begin(), digits.end(), other, own);
  };
  write_as('+', '-');
  write_as('/', '_');
  return from_base64(digits, form);
}

}  // namespace sealpack::attest
