// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest {

// The attestation document of the Nitro Secure Module, as AWS describes it ("Verifying the root of
// trust", aws-nitro-enclaves-nsm-api docs/attestation_process.md) and as the module really makes
// it: optional fields are null where they are not there, and their sizes keep to the module's
// response and not to the limits of the document. Views into the payload.
struct NitroDocument {
  std::string module_id;
  std::uint64_t timestamp = 0;  // milliseconds since 1970
  std::map<std::uint64_t, Bytes> pcrs;
  Bytes certificate;            // DER of the leaf
  std::vector<Bytes> cabundle;  // DER, from the root to the leaf's issuer
  Bytes public_key;             // empty where null
  Bytes user_data;
  Bytes nonce;
};

inline constexpr std::size_t kMaxNitroDocumentSize = 16384;
inline constexpr std::size_t kNitroPcrSize = 48;
inline constexpr std::uint64_t kNitroPcrCount = 32;

// kMalformed, also for a field that the document does not have: what it would mean is not known.
Result<NitroDocument> parse_nitro_document(Bytes payload);

}  // namespace sealpack::attest
