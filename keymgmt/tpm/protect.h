// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/crypto/private_key.h"
#include "keymgmt/tpm/public_area.h"

// What a vendor makes for a TPM that is somewhere else. Nothing here speaks to one.
namespace sealpack::tpm {

// A secret of 1 to 32 bytes that TPM2_ActivateCredential gives out only where both the key `parent`
// (an endorsement key) and an object of this name are in the same TPM.
struct Credential {
  ByteVector blob;    // TPM2B_ID_OBJECT without its size
  ByteVector secret;  // TPM2B_ENCRYPTED_SECRET without its size
  bool operator==(const Credential&) const = default;
};
Result<Credential> make_credential(const PublicArea& parent, const Name& object,
                                   const crypto::SecretBytes& secret);

inline constexpr std::size_t kInnerKeySize = 16;

// An object for TPM2_Import under `parent`. It is wrapped twice: for the parent, and under
// `inner_key` (kInnerKeySize bytes), which reaches the device on another way.
struct Duplicate {
  PublicArea object;
  ByteVector blob;    // TPM2B_PRIVATE without its size
  ByteVector secret;  // TPM2B_ENCRYPTED_SECRET without its size
  bool operator==(const Duplicate&) const = default;
};
// A P-256 or X25519 key that opens. P-256 becomes a key of the TPM, which it never leaves again;
// TPMs have no X25519, so such a key becomes sealed data (PKCS#8), which the loader gets to see.
// Neither userWithAuth nor fixedParent are set: `policy` alone decides, and admits no duplication.
Result<Duplicate> make_duplicate(const PublicArea& parent, const crypto::PrivateKey& key,
                                 const Digest& policy, const crypto::SecretBytes& inner_key);
// Attributes of such an object.
std::uint32_t duplicate_attributes(ObjectKind kind);

}  // namespace sealpack::tpm
