// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "formats/base/bytes.h"

// What a broker remembers: bundles and their releases, revocations, licences and leases, spent
// nonces, the log. SQLite in one file, or PostgreSQL for several replicas.
namespace sealpack::broker {

class Store {
 public:
  virtual ~Store() = default;
  // "sqlite:PATH" (or a path) or a PostgreSQL connection URI ("postgresql://…"). kIo; kMalformed
  // for a store of another program; kUnsupported for one of a newer version.
  static Result<std::shared_ptr<Store>> open(const std::string& uri);
};

}  // namespace sealpack::broker
