// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <variant>

#include "keymgmt/keystore/key_file.h"

namespace sealpack::keystore {

// A KEYREF names a private key on a command line:
//   PATH            a NAME.key file
//   pkcs11:...      a key in a token (RFC 7512)
//   tpm:PATH        a key that one TPM alone can use (tpm_key.h)
//   exec:PROGRAM    a key behind a program (exec_key.h); host only
// A file that is really called "pkcs11:..." is written "./pkcs11:...".

// The signer of a key. A key file must have one of the roles `allowed`; tokens and programs keep no
// role, there the caller's word counts.
Result<std::unique_ptr<crypto::Signer>> open_signer(const std::string& key_ref,
                                                    const std::vector<Role>& allowed,
                                                    PassphraseSource& passphrases);

struct Unwrapper {
  std::optional<Role> role;  // of a key file or a TPM key
  std::variant<std::unique_ptr<crypto::Decryptor>, crypto::WrappingKey> key;
};
Result<Unwrapper> open_unwrapper(const std::string& key_ref, const std::vector<Role>& allowed,
                                 PassphraseSource& passphrases);

}  // namespace sealpack::keystore
