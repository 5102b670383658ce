// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: ECDSA signatures between OpenSSL's DER and our fixed-size r || s.

#include <optional>

#include "keymgmt/crypto/signature.h"

namespace sealpack::crypto::internal {

// DER of a signature that keeps our rule: r and s in [1, n-1], s <= n/2. nullopt for all others.
std::optional<ByteVector> ecdsa_der_from_strict(SignatureAlgorithm algorithm, Bytes signature);

// r || s with s put into the lower half. nullopt if `der` is no signature of this curve.
std::optional<ByteVector> ecdsa_strict_from_der(SignatureAlgorithm algorithm, Bytes der);

}  // namespace sealpack::crypto::internal
