// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "keymgmt/keystore/passphrase.h"
#include "packer/core/recipients.h"

namespace sealpack::packer {

// A recipient from NAME.pub (its role decides the class of slot: broker and device are attested,
// recipient and escrow direct) or from the .key of a symmetric key.
Result<Recipient> load_recipient(const std::filesystem::path& path,
                                 keystore::PassphraseSource& passphrases);

// Recipients named one a line in a text file; '#' starts a comment, paths are relative to the file.
Result<std::vector<Recipient>> load_recipient_list(const std::filesystem::path& path,
                                                   keystore::PassphraseSource& passphrases);

// A recipient who knows the passphrase in the first line of a file (Argon2id, default cost).
Result<Recipient> load_passphrase_recipient(const std::filesystem::path& path);

}  // namespace sealpack::packer
