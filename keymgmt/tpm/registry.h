// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// Numbers of TPM 2.0 (TCG Algorithm Registry; Library specification, Part 2), for what speaks to a
// TPM and for what proves its evidence.
namespace sealpack::tpm {

// TPM_ALG_ID
inline constexpr std::uint16_t kAlgRsa = 0x0001;
inline constexpr std::uint16_t kAlgSha1 = 0x0004;
inline constexpr std::uint16_t kAlgAes = 0x0006;
inline constexpr std::uint16_t kAlgKeyedHash = 0x0008;
inline constexpr std::uint16_t kAlgSha256 = 0x000b;
inline constexpr std::uint16_t kAlgSha384 = 0x000c;
inline constexpr std::uint16_t kAlgSha512 = 0x000d;
inline constexpr std::uint16_t kAlgNull = 0x0010;
inline constexpr std::uint16_t kAlgRsaSsa = 0x0014;
inline constexpr std::uint16_t kAlgRsaEs = 0x0015;
inline constexpr std::uint16_t kAlgRsaPss = 0x0016;
inline constexpr std::uint16_t kAlgEcdsa = 0x0018;
inline constexpr std::uint16_t kAlgEcdh = 0x0019;
inline constexpr std::uint16_t kAlgEcdaa = 0x001a;
inline constexpr std::uint16_t kAlgEcc = 0x0023;
inline constexpr std::uint16_t kAlgCfb = 0x0043;

// TPM_ECC_CURVE
inline constexpr std::uint16_t kCurveP256 = 0x0003;
inline constexpr std::uint16_t kCurveP384 = 0x0004;
inline constexpr std::uint16_t kCurveP521 = 0x0005;

// TPMA_OBJECT
inline constexpr std::uint32_t kFixedTpm = 1U << 1U;
inline constexpr std::uint32_t kFixedParent = 1U << 4U;
inline constexpr std::uint32_t kSensitiveDataOrigin = 1U << 5U;
inline constexpr std::uint32_t kUserWithAuth = 1U << 6U;
inline constexpr std::uint32_t kAdminWithPolicy = 1U << 7U;
inline constexpr std::uint32_t kNoDa = 1U << 10U;
inline constexpr std::uint32_t kEncryptedDuplication = 1U << 11U;
inline constexpr std::uint32_t kRestricted = 1U << 16U;
inline constexpr std::uint32_t kDecrypt = 1U << 17U;
inline constexpr std::uint32_t kSign = 1U << 18U;

// TPMS_ATTEST: the magic of what a TPM states itself (TPM_GENERATED_VALUE), and its types
// (TPM_ST_ATTEST_…).
inline constexpr std::uint32_t kGeneratedValue = 0xff544347;
inline constexpr std::uint16_t kAttestNv = 0x8014;
inline constexpr std::uint16_t kAttestQuote = 0x8018;

}  // namespace sealpack::tpm
