// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "formats/base/bytes.h"

// TPM 2.0 structures that are made, read and named without a TPM (Library specification, Part 2).
// SHA-256 is the name algorithm of everything here.
namespace sealpack::tpm {

// TPM2B_NAME: 0x000b, then SHA-256 of what it names.
using Name = ByteVector;
inline constexpr std::size_t kNameSize = 2 + Digest::kSize;

// TPMA_OBJECT bits.
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

// The kinds of objects that sealpack has in TPMs.
enum class ObjectKind {
  kStorageRsa2048,  // restricted decryption with AES-128-CFB: endorsement keys, parents
  kStorageP256,
  kSignP256,   // ECDSA with SHA-256; restricted for attestation keys
  kAgreeP256,  // ECDH
  kSealed,     // data
};

// TPMT_PUBLIC of one of these kinds.
struct PublicArea {
  ObjectKind kind{};
  std::uint32_t attributes = 0;
  ByteVector policy;  // empty, or a SHA-256 policy digest
  // RSA: the modulus, 256 bytes. P-256: X || Y, 64 bytes. Sealed data: 32 bytes. In templates for
  // primary keys what the TPM mixes in: RSA 256 bytes of zeros or none, P-256 64 bytes of any
  // value.
  ByteVector unique;
  bool operator==(const PublicArea&) const = default;

  // Of keys: canonical SubjectPublicKeyInfo. kUnsupported for sealed data; kMalformed for numbers
  // that are no key.
  Result<ByteVector> spki() const;
};

ByteVector serialize_public(const PublicArea& area);  // TPMT_PUBLIC
// kMalformed; kUnsupported for other algorithms and parameters.
Result<PublicArea> parse_public(Bytes bytes);
Name name_of(const PublicArea& area);
// Of a public key that a TPM gets to know with TPM2_LoadExternal, to verify signatures of policies.
// kUnsupported unless it is a P-256 key.
Result<PublicArea> external_signing_key(Bytes spki);

// Templates of primary keys. The first two are those of the TCG (EK Credential Profile 2.5, L-1 and
// L-2), so that they give the keys which manufacturers certify.
PublicArea endorsement_rsa2048();
PublicArea endorsement_p256();
PublicArea attestation_p256();

// An NV index that counts (TPM_NT_COUNTER): read and incremented by anybody, outside of the
// dictionary attack logic. `written`: it was incremented once, which changes its name.
struct CounterIndex {
  std::uint32_t handle = 0;
  bool written = true;
};
ByteVector serialize_nv_public(const CounterIndex& index);  // TPMS_NV_PUBLIC
Name name_of(const CounterIndex& index);

}  // namespace sealpack::tpm
