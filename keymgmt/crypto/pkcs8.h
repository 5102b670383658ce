// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/crypto: private keys as PKCS#8 PrivateKeyInfo (RFC 5958 version 0).

#include <optional>

#include "keymgmt/crypto/evp_private.h"

namespace sealpack::crypto::internal {

// Either an asymmetric key and its kind, or an AES-256 key.
struct PrivateMaterial {
  std::optional<KeyKind> kind;
  PkeyPtr key;
  std::optional<WrappingKey> symmetric;
};

// kMalformed; kUnsupported for other algorithms.
Result<PrivateMaterial> parse_pkcs8(Bytes der);
// The one encoding we write; parse_pkcs8 also takes what other tools write (an EC key without its
// public key, say).
SecretBytes serialize_pkcs8(const PrivateMaterial& material);

}  // namespace sealpack::crypto::internal
