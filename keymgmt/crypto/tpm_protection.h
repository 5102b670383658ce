// SPDX-License-Identifier: Apache-2.0
#pragma once

// What somebody without a TPM computes to make secrets for one (TPM 2.0 Library, Part 1): seeds for
// a key that lives in the TPM, keys derived from them, and its symmetric cipher. keymgmt/tpm puts
// the structures around it.

#include "keymgmt/crypto/hash.h"
#include "keymgmt/crypto/private_key.h"

namespace sealpack::crypto {

struct TpmSeed {
  SecretBytes seed;      // as many bytes as the hash
  ByteVector encrypted;  // RSA: the OAEP block; curves: our ephemeral point, 0x04 || X || Y
};

// A secret that only the TPM with the private half of the key gets to know. `hash` is the name
// algorithm of the key; `label` says what it is for ("IDENTITY", "DUPLICATE"). Annex B.10.3
// (RSA-OAEP) and C.6.3 (one-pass ECDH). kUnsupported for keys other than RSA and NIST curves.
Result<TpmSeed> make_tpm_seed(Bytes spki, HashAlgorithm hash, std::string_view label);

// KDFa (section 11.4.10.2); at most as many bytes as the hash.
SecretBytes tpm_kdfa(HashAlgorithm hash, const SecretBytes& key, std::string_view label,
                     Bytes context_u, Bytes context_v, std::size_t size);
ByteVector tpm_hmac(HashAlgorithm hash, const SecretBytes& key, Bytes message);

// AES-128 or AES-256, by the key's size, in CFB mode with an all-zero IV: each key serves once.
ByteVector aes_cfb_encrypt(const SecretBytes& key, Bytes plain);

// The private scalar of a P-256 key for key agreement, 32 bytes big-endian; kUnsupported for other
// keys.
Result<SecretBytes> ecdh_p256_scalar(const PrivateKey& key);

}  // namespace sealpack::crypto
