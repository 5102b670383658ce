// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "keymgmt/crypto/key_wrap.h"
#include "keymgmt/crypto/signature.h"
#include "keymgmt/keystore/passphrase.h"

namespace sealpack::keystore {

// Keys in PKCS#11 tokens, named by an RFC 7512 URI. The module is the URI's module-path; without
// one all modules that p11-kit is configured with are asked. The URI must name exactly one
// initialised token (token=, serial=, ...) and one private key in it (object=, id=), whose public
// key object with the same id lies beside it. The PIN comes from pin-source=file:PATH (a file of
// mode 0600), else from `pins`; pin-value is refused (kUsage), because every user of the machine
// can read command lines.
//
// kUsage for the URI; kKeyUnavailable for an absent token or key or a wrong PIN; kRefused for a key
// that the token gives out in the clear; kUnsupported for a missing mechanism or another kind of
// key; kIo for a failing token.

// Ed25519 (CKM_EDDSA), ECDSA P-256 and P-384 (CKM_ECDSA). Every signature is verified before it is
// returned (kNotAuthentic).
Result<std::unique_ptr<crypto::Signer>> open_pkcs11_signer(const std::string& uri,
                                                           PassphraseSource& pins);

// RSA (CKM_RSA_PKCS_OAEP with SHA-256; where a token offers OAEP with SHA-1 alone, CKM_RSA_X_509
// and the padding in software) and P-256 (CKM_ECDH1_DERIVE, for HPKE).
Result<std::unique_ptr<crypto::Decryptor>> open_pkcs11_decryptor(const std::string& uri,
                                                                 PassphraseSource& pins);

}  // namespace sealpack::keystore
