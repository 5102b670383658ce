// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/device_signature.h"

namespace sealpack::attest {

// How a TPM key signs: TPM_ALG_RSASSA, TPM_ALG_RSAPSS or TPM_ALG_ECDSA, and with which hash.
struct TpmScheme {
  std::uint16_t algorithm = 0;
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::kSha256;
  bool operator==(const TpmScheme&) const = default;
};

// TPMT_SIGNATURE (TPM 2.0 Library Part 2, 11.3.4).
struct TpmSignature {
  TpmScheme scheme;
  ByteVector value;  // RSA: as it is. ECDSA: r, then s, with or without their leading zeros
  std::size_t r_size = 0;
};

// kMalformed; kUnsupported for other algorithms, SHA-1 among them: what it signs proves nothing.
Result<TpmSignature> parse_tpm_signature(Bytes bytes);

// kNotAuthentic unless `key` signed `message` so.
Status verify_tpm_signature(const TpmSignature& signature, const crypto::DeviceKey& key,
                            Bytes message);

// "rsassa with sha-256"
std::string to_string(const TpmScheme& scheme);

}  // namespace sealpack::attest
