// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: owners for OpenSSL objects. No public header includes this.

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

#include "formats/base/error.h"

namespace sealpack::crypto::internal {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using PkeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;
// BN_clear_free: the same type holds private scalars.
using BignumPtr = std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>>;

// Drops what OpenSSL queues on this thread while the object lives: our errors are Results, and a
// queue left behind would confuse an application that uses OpenSSL itself.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

// For calls that fail only when memory is exhausted or OpenSSL lacks an algorithm we require.
inline void require(bool holds, const char* why) {
  if (!holds) die(why);
}

// Fetched once and kept: an implicit fetch costs more than hashing a tree node's children.
const EVP_MD* sha256_algorithm();
const EVP_CIPHER* aes256_gcm_algorithm();

}  // namespace sealpack::crypto::internal
