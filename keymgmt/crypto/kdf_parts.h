// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto.

#include <initializer_list>

#include "keymgmt/crypto/kdf.h"

namespace sealpack::crypto::internal {

// hkdf_extract of the concatenation of `parts`, without a copy of secret parts in ordinary memory.
SecretBytes hkdf_extract_joined(HashName hash, Bytes salt, std::initializer_list<Bytes> parts);

}  // namespace sealpack::crypto::internal
