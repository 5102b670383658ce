// SPDX-License-Identifier: Apache-2.0
#pragma once

// How GoogleTest names the parameters of tests.

#include <array>
#include <ostream>

#include "keymgmt/crypto/bulk_engine.h"
#include "keymgmt/crypto/private_key.h"

namespace sealpack::crypto {

inline void PrintTo(KeyType type, std::ostream* out) {
  constexpr std::array kNames{"Ed25519",    "ECDSA P-256", "ECDSA P-384", "X25519",
                              "ECDH P-256", "RSA-3072",    "AES-256"};
  *out << kNames.at(static_cast<std::size_t>(type));
}

}  // namespace sealpack::crypto

namespace sealpack::crypto::internal {

inline void PrintTo(Engine engine, std::ostream* out) {
  constexpr std::array kNames{"automatic", "OpenSSL", "IPsec-MB"};
  *out << kNames.at(static_cast<std::size_t>(engine));
}

}  // namespace sealpack::crypto::internal
