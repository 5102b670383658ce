// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::crypto {

// Fills `out` from the operating system's generator through OpenSSL; ends the process on failure.
void random_bytes(MutableBytes out);

template <std::size_t N>
std::array<std::uint8_t, N> random_array() {
  std::array<std::uint8_t, N> out;
  random_bytes(out);
  return out;
}

}  // namespace sealpack::crypto
