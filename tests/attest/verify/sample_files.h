// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "attest/verify/verify.h"
#include "tests/testing/temporary_folder.h"

namespace sealpack::testing {

// Real evidence with verdicts, read where it lies; tests that need it are skipped where it is not.
inline std::filesystem::path sample_path(const std::string& name) {
  return std::filesystem::path(SEALPACK_VECTORS) / "attest" / name;
}

#define SEALPACK_NEEDS_SAMPLE(name)                                           \
  if (!std::filesystem::exists(::sealpack::testing::sample_path(name))) {     \
    GTEST_SKIP() << "no " << ::sealpack::testing::sample_path(name).string(); \
  }

inline ByteVector sample_bytes(const std::string& name) {
  return to_vector(as_bytes(content_of(sample_path(name))));
}

// Base64 of RFC 4648, also in its alphabet for addresses, padded or not.
inline ByteVector from_base64(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  ByteVector out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (char c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) continue;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) out.push_back(static_cast<std::uint8_t>(bits >> (count -= 8)));
  }
  return out;
}

// DER inside the only block of a PEM.
inline ByteVector from_pem(std::string_view text) {
  const std::size_t begin = text.find("-----\n") + 6;
  return from_base64(text.substr(begin, text.find("-----END") - begin));
}

// Every byte of `item` changed, each in another bit: never accepted.
template <typename Verify>
void expect_no_flip_accepted(ByteVector& item, Verify verify) {
  for (std::size_t i = 0; i < item.size(); ++i) {
    const auto mask = static_cast<std::uint8_t>(1U << (i % 8));
    item[i] ^= mask;
    EXPECT_FALSE(verify().accepted()) << "byte " << i;
    item[i] ^= mask;
  }
}

}  // namespace sealpack::testing
