// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/keystore/key_file.h"
#include "runtime-loader/capi/boundary.h"
#include "unpacker/trust_file.h"

// NOLINTNEXTLINE: its name in the C interface
struct sealpack_trust {
  sealpack::unpacker::TrustFile file;
};

namespace sealpack::capi {

// A public key of the caller. `assumed`: its role where the bytes say none; a role that they do say
// must be this one (kUsage).
Result<keystore::PublicKey> load_key(const sealpack_public_key& key, keystore::Role assumed);

}  // namespace sealpack::capi
