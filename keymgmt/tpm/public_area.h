// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>

#include "keymgmt/crypto/hash.h"
#include "keymgmt/tpm/registry.h"

// TPM 2.0 structures that are made, read and named without a TPM (Library specification, Part 2).
// SHA-256 is the name algorithm of everything that sealpack makes; endorsement keys have others.
namespace sealpack::tpm {

// TPM2B_NAME without its size: 0x000b and SHA-256 of what it names; of endorsement keys 0x000c and
// SHA-384 or 0x000d and SHA-512 as well.
using Name = ByteVector;
bool is_name(Bytes bytes);

// The kinds of objects that sealpack has in TPMs.
enum class ObjectKind {
  // Restricted decryption with AES in CFB mode: endorsement keys, parents. 128 bits and SHA-256
  // names where the key is short, 256 bits and SHA-384 names where it is long, SHA-512 names on
  // P-521 (templates of the TCG).
  kStorageRsa2048,
  kStorageRsa3072,
  kStorageRsa4096,
  kStorageP256,
  kStorageP384,
  kStorageP521,
  kSignP256,   // ECDSA with SHA-256; restricted for attestation keys
  kAgreeP256,  // ECDH
  kSealed,     // data
};
bool is_storage(ObjectKind kind);
crypto::HashAlgorithm name_hash(ObjectKind kind);
std::uint16_t cipher_bits(ObjectKind kind);  // of storage keys: AES of what they protect; else 0

// TPMT_PUBLIC of one of these kinds.
struct PublicArea {
  ObjectKind kind{};
  std::uint32_t attributes = 0;
  ByteVector policy;  // empty, or a digest by the hash of names
  // RSA: the modulus. Curves: X || Y. Sealed data: 32 bytes. In templates for primary keys what the
  // TPM mixes in: as many bytes, or none.
  ByteVector unique;
  // How many leading zeros of X and of Y the TPM leaves out, as those before revision 1.38 of the
  // specification do: its name for the key is without them.
  std::array<std::size_t, 2> omitted{};
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

// Template of the primary key that signs quotes; endorsement.h has those of endorsement keys.
PublicArea attestation_p256();
// Whether the area is what a TPM makes of that template.
bool is_attestation_key(const PublicArea& area);

// An NV index that counts (TPM_NT_COUNTER): read and incremented by anybody, outside of the
// dictionary attack logic. `written`: it was incremented once, which changes its name.
struct CounterIndex {
  std::uint32_t handle = 0;
  bool written = true;
};
ByteVector serialize_nv_public(const CounterIndex& index);  // TPMS_NV_PUBLIC
Name name_of(const CounterIndex& index);

}  // namespace sealpack::tpm
