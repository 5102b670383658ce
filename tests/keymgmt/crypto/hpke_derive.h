// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/hpke_ephemeral.h"
#include "keymgmt/crypto/kdf_parts.h"

namespace sealpack::testing {

// The ephemeral key that a published vector's seed stands for: for X25519 the private key itself,
// for P-256 the input of DeriveKeyPair (RFC 9180 section 7.1.3), whose first candidate serves.
inline crypto::internal::PkeyPtr vector_ephemeral(crypto::internal::KeyKind kind, Bytes seed) {
  using namespace crypto;  // NOLINT: a test
  if (kind == internal::KeyKind::kX25519) return internal::import_private(kind, seed).value();
  const ByteVector suite = {'K', 'E', 'M', 0x00, 0x10};
  const SecretBytes prk = internal::hkdf_extract_joined(
      HashName::kSha256, {}, {as_bytes("HPKE-v1"), suite, as_bytes("dkp_prk"), seed});
  ByteVector info = {0x00, 32};
  for (const Bytes part : {as_bytes("HPKE-v1"), Bytes(suite), as_bytes("candidate")}) {
    info.insert(info.end(), part.begin(), part.end());
  }
  info.push_back(0);
  SecretBytes scalar(32);
  hkdf_expand(HashName::kSha256, prk.reveal(), info, scalar.reveal_for_writing());
  return internal::import_private(kind, scalar.reveal()).value();
}

}  // namespace sealpack::testing
