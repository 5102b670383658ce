// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "attest/verify/tpm/tpm_attest.h"
#include "keymgmt/crypto/hash.h"

namespace sealpack::attest {

// One value of the item "tpm-pcrs".
struct PcrValue {
  crypto::HashAlgorithm bank = crypto::HashAlgorithm::kSha256;
  std::uint8_t index = 0;
  ByteVector digest;
  bool operator==(const PcrValue&) const = default;
};

// Values bank by bank, ascending within a bank, none twice. kMalformed; kUnsupported for banks of
// other hashes than SHA-1, SHA-256, SHA-384 and SHA-512.
Result<std::vector<PcrValue>> parse_pcr_values(Bytes bytes);
ByteVector serialize_pcr_values(const std::vector<PcrValue>& values);

// The selections that values of this order stand for.
std::vector<PcrSelection> selections_of(const std::vector<PcrValue>& values);

// The digests one behind the other, as a quote hashes them.
ByteVector joined_digests(const std::vector<PcrValue>& values);

}  // namespace sealpack::attest
