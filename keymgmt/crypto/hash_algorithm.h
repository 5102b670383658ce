// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: a HashAlgorithm as OpenSSL takes it.

#include "keymgmt/crypto/hash.h"
#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {

const EVP_MD* evp_of(HashAlgorithm algorithm);

}  // namespace sealpack::crypto::internal
