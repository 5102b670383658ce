// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "formats/base/bytes.h"

namespace sealpack::testing {

// Bytes of a literal in a test; a typing error ends the test program.
inline ByteVector hex(std::string_view text) {
  return from_hex(text).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> hex_array(std::string_view text) {
  const ByteVector bytes = hex(text);
  if (bytes.size() != N) die("a test literal has the wrong size");
  std::array<std::uint8_t, N> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// `size` bytes that differ from place to place and with `seed`.
inline ByteVector pattern(std::size_t size, std::uint32_t seed = 1) {
  ByteVector bytes(size);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(seed >> 24U);
  }
  return bytes;
}

}  // namespace sealpack::testing
