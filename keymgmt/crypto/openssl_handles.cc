// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {

const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = [] {
    const EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    require(fetched != nullptr, "OpenSSL offers no SHA-256");
    return fetched;
  }();
  return algorithm;
}

const EVP_CIPHER* aes256_gcm_algorithm() {
  static const EVP_CIPHER* const algorithm = [] {
    const EVP_CIPHER* fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    require(fetched != nullptr, "OpenSSL offers no AES-256-GCM");
    return fetched;
  }();
  return algorithm;
}

}  // namespace sealpack::crypto::internal
