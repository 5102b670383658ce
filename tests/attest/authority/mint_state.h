// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal to the test authority.

#include "keymgmt/crypto/openssl_handles.h"
#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

struct MintKey::State {
  MintKeyType type;
  crypto::internal::PkeyPtr key;
};

}  // namespace sealpack::testing
