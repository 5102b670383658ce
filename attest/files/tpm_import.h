// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/evidence/evidence.h"
#include "keymgmt/crypto/hash.h"

namespace sealpack::attest {

// Evidence of TPMs as other tools wrap it, taken apart into what the TPM made. Nothing is proven.

// Trustee's evidence "tpm": {"ak_public": base64, "tpm_quote": {…}}. Its attestation key is an SPKI
// without attributes, which verify_tpm() refuses; set the item "ak-public" to the TPMT_PUBLIC.
Result<Evidence> parse_trustee_tpm(Bytes json);

// go-tpm-tools' protobuf message Attestation: the quote of one bank, and the certificates of the
// attestation key, which count among the endorsements. Instance info, canonical event log and the
// report of a TEE beside the TPM are left out. kUnsupported where it has no quote of the bank.
struct GoTpmAttestation {
  Evidence evidence;
  std::vector<ByteVector> certificates;  // DER
};
Result<GoTpmAttestation> parse_go_tpm_attestation(
    Bytes message, crypto::HashAlgorithm bank = crypto::HashAlgorithm::kSha256);

}  // namespace sealpack::attest
