// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/sha512.h"

#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto {

std::array<std::uint8_t, 64> sha512(Bytes message) {
  std::array<std::uint8_t, 64> digest;
  std::size_t size = 0;
  internal::require(EVP_Q_digest(nullptr, "SHA512", nullptr, message.data(), message.size(),
                                 digest.data(), &size) == 1 &&
                        size == digest.size(),
                    "SHA-512 failed");
  return digest;
}

}  // namespace sealpack::crypto
