// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/crypto/hash.h"

#include "keymgmt/crypto/hash_algorithm.h"

namespace sealpack::crypto {

const EVP_MD* internal::evp_of(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1:
      return EVP_sha1();
    case HashAlgorithm::kSha256:
      return EVP_sha256();
    case HashAlgorithm::kSha384:
      return EVP_sha384();
    case HashAlgorithm::kSha512:
      return EVP_sha512();
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
