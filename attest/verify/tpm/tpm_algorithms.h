// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "keymgmt/crypto/hash.h"

namespace sealpack::attest {

// TPM_ALG_ID (TCG Algorithm Registry), as far as quotes and their keys have them.
inline constexpr std::uint16_t kTpmRsa = 0x0001;
inline constexpr std::uint16_t kTpmSha1 = 0x0004;
inline constexpr std::uint16_t kTpmSha256 = 0x000b;
inline constexpr std::uint16_t kTpmSha384 = 0x000c;
inline constexpr std::uint16_t kTpmSha512 = 0x000d;
inline constexpr std::uint16_t kTpmNull = 0x0010;
inline constexpr std::uint16_t kTpmRsaSsa = 0x0014;
inline constexpr std::uint16_t kTpmRsaEs = 0x0015;
inline constexpr std::uint16_t kTpmRsaPss = 0x0016;
inline constexpr std::uint16_t kTpmEcdsa = 0x0018;
inline constexpr std::uint16_t kTpmEcdaa = 0x001a;
inline constexpr std::uint16_t kTpmEcc = 0x0023;

inline std::optional<crypto::HashAlgorithm> tpm_hash(std::uint16_t id) {
  switch (id) {
    case kTpmSha1:
      return crypto::HashAlgorithm::kSha1;
    case kTpmSha256:
      return crypto::HashAlgorithm::kSha256;
    case kTpmSha384:
      return crypto::HashAlgorithm::kSha384;
    case kTpmSha512:
      return crypto::HashAlgorithm::kSha512;
    default:
      return std::nullopt;
  }
}

inline std::uint16_t tpm_id(crypto::HashAlgorithm hash) {
  switch (hash) {
    case crypto::HashAlgorithm::kSha1:
      return kTpmSha1;
    case crypto::HashAlgorithm::kSha256:
      return kTpmSha256;
    case crypto::HashAlgorithm::kSha384:
      return kTpmSha384;
    case crypto::HashAlgorithm::kSha512:
      return kTpmSha512;
  }
  die("unknown hash algorithm");
}

}  // namespace sealpack::attest
