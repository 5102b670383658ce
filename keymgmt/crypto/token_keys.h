// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is left to do in software around a private key that lives in a device (PKCS#11, KMS): its
// public half as the device describes it, the hash before raw ECDSA, the padding after raw RSA.

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"

namespace sealpack::crypto {

enum class TokenCurve { kEd25519, kP256, kP384, kP521 };

// SubjectPublicKeyInfo of a raw key: 32 bytes for Ed25519, else an uncompressed point. kMalformed
// for other sizes and forms; whether the point is on its curve shows when the SPKI is read.
Result<ByteVector> spki_from_point(TokenCurve curve, Bytes point);

// Of an RSA key; both numbers big-endian. kUnsupported unless 2048 to 4096 bits with e = 65537.
Result<ByteVector> spki_from_rsa(Bytes modulus, Bytes exponent);

// The hash that the algorithm signs: SHA-256 or SHA-384. Ends the process for Ed25519.
ByteVector hash_for_ecdsa(SignatureAlgorithm algorithm, Bytes message);

// Takes the OAEP padding (SHA-256, MGF1-SHA-256, empty label) off the output of the raw RSA
// operation, big-endian, at most `modulus_size` bytes. kKeyUnavailable when the padding does not
// hold; the check itself is OpenSSL's and takes constant time.
Result<SecretBytes> rsa_oaep_unpad(const SecretBytes& block, std::size_t modulus_size);

}  // namespace sealpack::crypto
