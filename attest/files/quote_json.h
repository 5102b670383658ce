// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"
#include "formats/models/json_reader.h"

namespace sealpack::attest {

// A quote as Trustee and its attesters write one in JSON. Internal to attest/files.
struct QuoteJson {
  ByteVector message;            // TPMS_ATTEST
  ByteVector signature;          // TPMT_SIGNATURE, or what is in one
  std::vector<ByteVector> pcrs;  // SHA-256; those that were quoted, or all 24
};

// How bytes are written where they are no array of numbers.
enum class JsonBytes { kHex, kBase64 };

// The value that comes next: an array of numbers below 256, or a string. At most 64 KiB.
Result<ByteVector> read_json_bytes(models::JsonReader& in, JsonBytes text, std::string_view field);

// {"message", "signature", "pcrs"}: all three, nothing else. `text` is how message and signature
// are written; PCRs are hex or numbers.
Result<QuoteJson> read_quote_json(models::JsonReader& in, JsonBytes text);

// The item "tpm-pcrs": of all 24 those that the quote selects; which they are only the quote says.
Result<ByteVector> quoted_pcrs(const QuoteJson& quote);

}  // namespace sealpack::attest
