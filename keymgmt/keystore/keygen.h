// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/keystore/key_file.h"

namespace sealpack::keystore {

struct KeyPairFiles {
  std::filesystem::path private_path;
  std::optional<std::filesystem::path> public_path;  // none for symmetric keys
  std::optional<Digest> digest;                      // SHA-256 of the SPKI
};

// Ed25519 for roles that sign, X25519 for roles that unwrap.
crypto::KeyType default_key_type(Role role);

// Makes NAME.key (mode 0600) and NAME.pub for `base` = NAME. `passphrases` null leaves the private
// key in the clear. kUsage for a type that the role does not allow and, unless `overwrite` allows
// it, for files that exist; on failure no new file is left.
Result<KeyPairFiles> generate_key_pair(Role role, std::optional<crypto::KeyType> type,
                                       const std::filesystem::path& base, const std::string& name,
                                       PassphraseSource* passphrases,
                                       Overwrite overwrite = Overwrite::kRefuse);

}  // namespace sealpack::keystore
