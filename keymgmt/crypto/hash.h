// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::crypto {

// The hashes that evidence of other makers uses; our own formats have SHA-256 alone. SHA-1 names
// banks of PCRs and digests of old event logs, and proves nothing.
enum class HashAlgorithm { kSha1, kSha256, kSha384, kSha512 };

std::size_t hash_size(HashAlgorithm algorithm);
const char* to_string(HashAlgorithm algorithm);  // "sha-384"
ByteVector hash(HashAlgorithm algorithm, Bytes message);

}  // namespace sealpack::crypto
