// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto and its tests.

#include "keymgmt/crypto/evp_private.h"
#include "keymgmt/crypto/key_wrap.h"

namespace sealpack::crypto::internal {

// The kind of key an EncryptionKey holds.
KeyKind kind_of(EncryptionAlgorithm algorithm);

// hpke_seal with a given ephemeral key, which is used once: only published vectors fix it.
Result<HpkeSealed> hpke_seal_with_ephemeral(const EncryptionKey& recipient, EVP_PKEY* ephemeral,
                                            Bytes info, Bytes aad, Bytes plain);

}  // namespace sealpack::crypto::internal
