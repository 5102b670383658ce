// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to keymgmt/x509: which signatures on certificates and lists prove anything.

#include <openssl/x509.h>

namespace sealpack::x509 {

// ECDSA, RSA PKCS#1 v1.5 or RSA-PSS with SHA-256, SHA-384 or SHA-512; of PSS the mask function with
// the same hash too. Parameters that are not understood are not strong.
bool is_strong(const X509_ALGOR* algorithm);

// Whether verifying with the key costs what it should: RSA up to 8192 bits with an exponent up to
// 64, curves up to 521. Who sends a certificate chooses its key; one that is not affordable proves
// nothing, and is not tried.
bool is_affordable(const EVP_PKEY* key);

}  // namespace sealpack::x509
