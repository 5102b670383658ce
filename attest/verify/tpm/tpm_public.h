// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "attest/verify/tpm/tpm_signature.h"

namespace sealpack::attest {

// The public area of a TPM key: RSA, or ECC on P-256 or P-384.
struct TpmPublic {
  std::uint32_t attributes = 0;
  // Of keys that sign; absent where the caller of the TPM chooses it, or the key does not sign.
  std::optional<TpmScheme> scheme;
  crypto::DeviceKey key;
  // What names the key and its attributes: nameAlg, then its hash of the TPMT_PUBLIC.
  ByteVector name;
};

// A TPM2B_PUBLIC or the TPMT_PUBLIC inside it. kMalformed, reserved attributes among it;
// kUnsupported for other types, curves and hashes (SHA-1).
Result<TpmPublic> parse_tpm_public(Bytes bytes);

// Why a key with these attributes may sign whatever its holder likes, or live outside the TPM that
// made it; empty for one that signs only what the TPM itself states.
std::string why_not_attestation_key(std::uint32_t attributes);

}  // namespace sealpack::attest
