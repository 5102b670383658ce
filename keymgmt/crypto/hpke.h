// SPDX-License-Identifier: Apache-2.0
#pragma once

// The halves of HPKE opening around the Diffie-Hellman step, for a Decryptor whose private key
// cannot leave a device: check_encapsulated_key, then the device's X25519 or ECDH, then
// hpke_open_with_shared_secret.

#include "keymgmt/crypto/key_wrap.h"

namespace sealpack::crypto {

// kKeyUnavailable unless `enc` is a public key of the recipient's curve: a device that multiplies
// an invalid point leaks its key. kUnsupported for RSA keys.
Status check_encapsulated_key(const EncryptionKey& recipient, Bytes enc);

// `shared_secret`: the raw 32-byte output of X25519 or ECDH (x coordinate) between the recipient's
// private key and `enc`. kKeyUnavailable when it does not open, or when it is all zero.
Result<SecretBytes> hpke_open_with_shared_secret(const SecretBytes& shared_secret, Bytes enc,
                                                 const EncryptionKey& recipient, Bytes info,
                                                 Bytes aad, Bytes ciphertext);

}  // namespace sealpack::crypto
