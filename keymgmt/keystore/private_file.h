// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "formats/files/output_file.h"
#include "keymgmt/crypto/secret_bytes.h"

namespace sealpack::keystore {

// A file that holds a secret, into guarded memory. kRefused when it belongs to another user or its
// mode gives group or others any access (checked on the open file, so that it cannot be exchanged
// in between); kIo; kLimit above `limit` bytes (at most SecretBytes::kMaxSize).
Result<crypto::SecretBytes> load_private_file(const std::filesystem::path& path, std::size_t limit);

// A small file, complete or not at all (OutputFile); kIo, also when it exists and is not to be
// replaced.
Status store_file(const std::filesystem::path& path, Bytes content, mode_t mode,
                  Overwrite overwrite);

}  // namespace sealpack::keystore
