// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto.

#include "keymgmt/crypto/openssl_handles.h"

namespace sealpack::crypto::internal {

// OAEP, SHA-256, MGF1-SHA-256, empty label: the one padding for RSA in sealpack.
bool set_oaep(EVP_PKEY_CTX* context);

}  // namespace sealpack::crypto::internal
