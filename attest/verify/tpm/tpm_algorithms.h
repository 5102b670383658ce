// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "keymgmt/crypto/hash.h"
#include "keymgmt/tpm/registry.h"

namespace sealpack::attest {

inline std::optional<crypto::HashAlgorithm> tpm_hash(std::uint16_t id) {
  switch (id) {
    case tpm::kAlgSha1:
      return crypto::HashAlgorithm::kSha1;
    case tpm::kAlgSha256:
      return crypto::HashAlgorithm::kSha256;
    case tpm::kAlgSha384:
      return crypto::HashAlgorithm::kSha384;
    case tpm::kAlgSha512:
      return crypto::HashAlgorithm::kSha512;
    default:
      return std::nullopt;
  }
}

inline std::uint16_t tpm_id(crypto::HashAlgorithm hash) {
  switch (hash) {
    case crypto::HashAlgorithm::kSha1:
      return tpm::kAlgSha1;
    case crypto::HashAlgorithm::kSha256:
      return tpm::kAlgSha256;
    case crypto::HashAlgorithm::kSha384:
      return tpm::kAlgSha384;
    case crypto::HashAlgorithm::kSha512:
      return tpm::kAlgSha512;
  }
  die("unknown hash algorithm");
}

}  // namespace sealpack::attest
