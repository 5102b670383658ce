// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::attest {

// Messages of the Nitro Secure Module (CBOR, aws-nitro-enclaves-nsm-api).

// {"Attestation": {"user_data": null, "nonce": nonce, "public_key": null}}
ByteVector nsm_attestation_request(Bytes nonce);
// The document of {"Attestation": {"document": bytes}}. kIo with the module's word for
// {"Error": text}; kMalformed.
Result<ByteVector> parse_nsm_response(Bytes response);

// Asks /dev/nsm. kUnsupported where there is none.
Result<ByteVector> ask_nsm(Bytes request);

}  // namespace sealpack::attest
