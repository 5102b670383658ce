// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack {

// RFC 4648. Each content has one text and no other is read. Not for secrets: the time that it takes
// depends on what it reads.
enum class Base64 : std::uint8_t {
  kStandard,  // §4: '+' and '/', padded with '='
  kUrl,       // §5: '-' and '_', not padded, as JSON Web Keys have it (RFC 7515 §2)
};

std::string to_base64(Bytes bytes, Base64 form = Base64::kStandard);
Result<ByteVector> from_base64(std::string_view text,
                               Base64 form = Base64::kStandard);  // kMalformed

}  // namespace sealpack
