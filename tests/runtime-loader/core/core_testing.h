// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/private_key.h"

// Small things for tests that build without the writer of bundles.
namespace sealpack::loader::testing {

inline crypto::PrivateKey make_key(crypto::KeyType type) {
  return crypto::PrivateKey::generate(type).value();
}
inline crypto::VerifyingKey verifying_key(const crypto::PrivateKey& key) {
  return crypto::VerifyingKey::from_spki(key.spki()).value();
}
inline crypto::EncryptionKey encryption_key(const crypto::PrivateKey& key) {
  return crypto::EncryptionKey::from_spki(key.spki()).value();
}
inline ByteVector pattern(std::size_t size, unsigned seed) {
  ByteVector out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8U) * 7 + seed * 101);
  }
  return out;
}
inline Digest digest(std::uint8_t fill) {
  Digest out;
  out.bytes.fill(fill);
  return out;
}

// Calls check with every version of `bytes` that differs in one bit.
template <typename Check>
void flip_every_bit(ByteVector bytes, const Check& check) {
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ mask);
    check(bytes, bit);
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ mask);
  }
}

}  // namespace sealpack::loader::testing
