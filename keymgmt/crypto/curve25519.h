// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: what Ed25519 and X25519 share.

#include <algorithm>

#include "formats/base/bytes.h"

namespace sealpack::crypto::internal {

using LittleEndian256 = std::array<std::uint8_t, 32>;

// p = 2^255 - 19
inline constexpr LittleEndian256 kFieldPrime25519 = {
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

// Both 32 bytes, little-endian; public values only (not constant time).
inline bool is_below(Bytes value, const LittleEndian256& limit) {
  return std::lexicographical_compare(value.rbegin(), value.rend(), limit.rbegin(), limit.rend());
}

}  // namespace sealpack::crypto::internal
