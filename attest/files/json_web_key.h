// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// The public keys of a JSON Web Key or a set of them (RFC 7517): "EC" on P-256, P-384 and P-521,
// and "RSA"; as SPKI in DER. Members that say nothing about the key itself are passed over.
// kMalformed, for a private key too; kUnsupported for other types.
Result<std::vector<ByteVector>> parse_json_web_keys(Bytes text);

}  // namespace sealpack::attest
