// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/base/result.h"

namespace sealpack {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

// A SHA-256 value. Compare freely: digests here are of public bytes.
struct Digest {
  static constexpr std::size_t kSize = 32;
  std::array<std::uint8_t, kSize> bytes{};
  auto operator<=>(const Digest&) const = default;
};

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteVector to_vector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Lower-case hex, two digits a byte.
std::string to_hex(Bytes bytes);
// Inverse of to_hex; accepts lower and upper case, nothing else. kMalformed.
Result<ByteVector> from_hex(std::string_view text);

// `text` in single quotes with every byte that could steer a terminal (control characters, DEL,
// bidirectional and zero-width marks, invalid UTF-8) written as \xNN. For every untrusted name in a
// message.
std::string printable(std::string_view text);

// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// Sum, product and rounding up to a power of two; nullopt where 64 bits do not hold the result.
std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b);
std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b);
std::optional<std::uint64_t> checked_align(std::uint64_t value, std::uint64_t alignment);

// "1.5 MiB", "312 B": sizes for people, binary units, at most one decimal.
std::string format_size(std::uint64_t size);

}  // namespace sealpack
