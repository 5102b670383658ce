// SPDX-License-Identifier: Apache-2.0
#include "keymgmt/provision/passwords.h"

#include "keymgmt/keystore/passphrase.h"

namespace sealpack::provision {

tpm::PasswordSource password_source(PasswordFiles files) {
  return [files = std::move(files)](tpm::Hierarchy hierarchy) -> Result<crypto::SecretBytes> {
    const std::string& path = hierarchy == tpm::Hierarchy::kOwner ? files.owner : files.endorsement;
    const std::string name = tpm::to_string(hierarchy);
    if (!path.empty()) return keystore::load_passphrase(path);
    if (files.ask) {
      return keystore::TerminalPassphrase().passphrase("the TPM's " + name + " hierarchy");
    }
    return Error(ErrorCode::kRefused, "the TPM's " + name + " hierarchy has a password")
        .with_hint("give it in a file that you alone may read: --tpm-password-file");
  };
}

}  // namespace sealpack::provision
