// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/attest/authority/mint.h"

namespace sealpack::testing {

// An RSA key of 2048 bits whose public exponent has `bits`: a signature by it is right, and takes
// as long to verify as to make. 65 are one more than nature has.
MintKey mint_key_with_long_exponent(int bits);

}  // namespace sealpack::testing
