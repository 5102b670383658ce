// SPDX-License-Identifier: Apache-2.0
#pragma once

// What somebody without a TPM computes to make secrets for one (TPM 2.0 Library, Part 1): seeds for
// a key that lives in the TPM, keys derived from them, and its symmetric cipher. Always with
// SHA-256 as name algorithm and AES-128-CFB. keymgmt/tpm puts the structures around it.

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/private_key.h"

namespace sealpack::crypto {

struct TpmSeed {
  SecretBytes seed;      // 32 bytes
  ByteVector encrypted;  // RSA: the OAEP block; P-256: our ephemeral point, 0x04 || X || Y
};

// A secret that only the TPM with the private half of `key` gets to know. `label` says what it is
// for ("IDENTITY", "DUPLICATE"). Annex B.10.3 (RSA-OAEP with SHA-256) and C.6.3 (one-pass ECDH).
// kUnsupported for X25519 keys.
Result<TpmSeed> make_tpm_seed(const EncryptionKey& key, std::string_view label);

// KDFa (section 11.4.10.2) with HMAC-SHA-256; at most 32 bytes.
SecretBytes tpm_kdfa(const SecretBytes& key, std::string_view label, Bytes context_u,
                     Bytes context_v, std::size_t size);

// AES-128 in CFB mode with an all-zero IV: each key serves once.
ByteVector aes128_cfb_encrypt(const SecretBytes& key, Bytes plain);

// The private scalar of a P-256 key for key agreement, 32 bytes big-endian; kUnsupported for other
// keys.
Result<SecretBytes> ecdh_p256_scalar(const PrivateKey& key);

}  // namespace sealpack::crypto
