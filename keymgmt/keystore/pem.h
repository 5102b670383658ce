// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::keystore {

// One PEM block in the strict form of RFC 7468 (section 3, stricttextualmsg): lines of 64
// characters ended by LF, the last one shorter, canonical padding, nothing before or after. What
// tools write, and one text per content.
struct PemBlock {
  std::string_view label;  // "PUBLIC KEY"
  std::string_view body;   // the base64 lines, each with its LF
  std::size_t size = 0;    // of the content, in bytes
};

// `text` is the whole block. kMalformed. The result views into `text`.
Result<PemBlock> parse_pem(std::string_view text);

// The content of a block into `out` of block.size bytes, so that the caller decides what kind of
// memory a private key comes to lie in. kMalformed.
Status decode_pem(const PemBlock& block, MutableBytes out);

std::size_t pem_size(std::string_view label, std::size_t content_size);
// `out` has pem_size() bytes.
void encode_pem(std::string_view label, Bytes content, MutableBytes out);

}  // namespace sealpack::keystore
