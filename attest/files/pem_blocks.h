// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

struct PemContent {
  std::string label;  // "CERTIFICATE"
  ByteVector der;
};

// All PEM blocks of a text (RFC 7468, lax: lines of any length, text between blocks passed over),
// at least one. kMalformed for a block that does not end, and for a private key: it is not looked
// into.
Result<std::vector<PemContent>> parse_pem_blocks(std::string_view text);

}  // namespace sealpack::attest
