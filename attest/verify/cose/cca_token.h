// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"
#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest {

// The two tokens of a CCA token, each a COSE_Sign1 still. Views into the input.
struct CcaToken {
  Bytes platform;
  Bytes realm;
};

// Tag 399, { 44234: bytes, 44241: bytes } (RMM specification), or tag 907, a CMW collection
// { 44234: [263, bytes], 44241: [263, bytes] } (draft-ffm-rats-cca-token).
Result<CcaToken> parse_cca_token(Bytes bytes);

// The key that a realm signs with: an uncompressed point on P-384 (97 bytes), as tokens without a
// realm profile have it.
Result<crypto::DeviceKey> parse_raw_realm_key(Bytes bytes);
// A COSE_Key (RFC 9052 section 7) of type EC2 with both coordinates, on P-256, P-384 or P-521.
Result<crypto::DeviceKey> parse_cose_realm_key(Bytes bytes);

}  // namespace sealpack::attest
