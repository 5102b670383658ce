// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/hash.h"

#include "keymgmt/crypto/hash_algorithm.h"

namespace sealpack::crypto {

namespace {

// Once a process: OpenSSL looks up what EVP_sha256() returns anew with every use.
const EVP_MD* fetch(const char* name) {
  const EVP_MD* algorithm = EVP_MD_fetch(nullptr, name, nullptr);
  internal::require(algorithm != nullptr, "a hash algorithm is missing");
  return algorithm;
}

}  // namespace

const EVP_MD* internal::evp_of(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1: {
      static const EVP_MD* const sha1 = fetch("SHA1");
      return sha1;
    }
    case HashAlgorithm::kSha256:
      return sha256_algorithm();
    case HashAlgorithm::kSha384: {
      static const EVP_MD* const sha384 = fetch("SHA384");
      return sha384;
    }
    case HashAlgorithm::kSha512: {
      static const EVP_MD* const sha512 = fetch("SHA512");
      return sha512;
    }
  }
  die("unknown hash algorithm");
}

std::size_t hash_size(HashAlgorithm algorithm) {
  return static_cast<std::size_t>(EVP_MD_get_size(internal::evp_of(algorithm)));
}

const char* to_string(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1:
      return "sha-1";
    case HashAlgorithm::kSha256:
      return "sha-256";
    case HashAlgorithm::kSha384:
      return "sha-384";
    case HashAlgorithm::kSha512:
      return "sha-512";
  }
  return "unknown";
}

ByteVector hash(HashAlgorithm algorithm, Bytes message) {
  ByteVector digest(hash_size(algorithm));
  unsigned size = 0;
  internal::require(EVP_Digest(message.data(), message.size(), digest.data(), &size,
                               internal::evp_of(algorithm), nullptr) == 1,
                    "hashing failed");
  return digest;
}

}  // namespace sealpack::crypto
