// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/broker/base64.h"

namespace sealpack::broker {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string to_base64(Bytes bytes) {
  std::string out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    group = (group << 8U) | byte;
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[(group >> (bits - 6)) & 63U];
  }
  if (bits != 0) out += kAlphabet[(group << (6 - bits)) & 63U];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

Result<ByteVector> from_base64(std::string_view text) {
  ByteVector out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) break;
    group = (group << 6U) | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>(group >> bits));
  }
  // Whatever was lenient above does not come back the same.
  if (to_base64(out) != text) return Error(ErrorCode::kMalformed, "not canonical base64");
  return out;
}

}  // namespace sealpack::broker
