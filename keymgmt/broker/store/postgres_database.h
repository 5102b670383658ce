// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/store/database.h"

namespace sealpack::broker::internal {

// A connection that comes back by itself after it was lost: what was under way fails with
// kTryAgain. kUsage for a URI with a password in it (that is for a password file); kRefused for a
// server that does not write commits to the disk (fsync off).
Result<std::unique_ptr<Database>> open_postgres(const std::string& uri);

}  // namespace sealpack::broker::internal
