// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "attest/verify/verify.h"

namespace sealpack::attest {

// All endorsements of a folder, or of a single file. Each file of the folder must be one that
// endorsement_file.h knows; names that begin with '.' and a README are passed over, folders inside
// are refused. At most kMaxEndorsementsSize in all. kIo, kMalformed, kLimit.
Result<Endorsements> load_endorsements(const std::filesystem::path& path);

}  // namespace sealpack::attest
