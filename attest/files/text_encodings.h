// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Bytes written as text, as people and tools pass evidence on. Spaces and line ends count for
// nothing; anything else that does not belong refuses. kMalformed.

// Hex digits, two a byte.
Result<ByteVector> decode_hex_text(std::string_view text);

// RFC 4648: the standard alphabet or the URL-safe one, not both at once; padding may be left out,
// bits behind the end are zero.
Result<ByteVector> decode_base64(std::string_view text);

}  // namespace sealpack::attest
