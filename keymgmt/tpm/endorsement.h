// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "keymgmt/tpm/public_area.h"

// Endorsement keys and their certificates, as manufacturers put them into TPMs (TCG EK Credential
// Profile 2.6, section 2.2.1). Nothing here speaks to a TPM.
namespace sealpack::tpm {

// A template of the profile. The number is what files say.
enum class EndorsementKind : std::uint8_t {
  kRsa2048 = 1,      // L-1
  kP256 = 2,         // L-2
  kRsa3072 = 3,      // H-6
  kP384 = 4,         // H-3
  kRsa2048High = 5,  // H-1
  kP256High = 6,     // H-2
  kP521 = 7,         // H-4
  kRsa4096 = 8,      // H-7
};

struct EndorsementProfile {
  EndorsementKind kind;
  const char* name;            // as command lines have it
  ObjectKind object;           // of the key
  std::uint32_t persistent;    // handle where it may be kept
  std::uint32_t certificate;   // NV indices, each of which may be there
  std::uint32_t nonce;         // 0: none in the high range
  std::uint32_t own_template;  // of a manufacturer who does not use the TCG's
};
// All, those that are quick to make first.
std::span<const EndorsementProfile> endorsement_profiles();
const EndorsementProfile& profile_of(EndorsementKind kind);
// nullopt for a number that is no kind.
std::optional<EndorsementKind> endorsement_kind(std::uint64_t number);

// The TCG's template.
PublicArea endorsement_template(EndorsementKind kind);
// Empty for an area that an endorsement key can have: a storage key, born in its TPM, that stays
// there and does nothing but decrypt. Else why not.
std::string why_not_endorsement_key(const PublicArea& area);

// Policies of the profile, by hash: A is TPM2_PolicySecret(TPM_RH_ENDORSEMENT), B is A or C, and C
// is whatever the owner of the NV index for it says.
ByteVector policy_a(crypto::HashAlgorithm hash);
ByteVector policy_b(crypto::HashAlgorithm hash);
ByteVector policy_c(crypto::HashAlgorithm hash);

// Largest certificate, and chain of certificates, that is read from a TPM.
inline constexpr std::size_t kMaxCertificateSize = 4096;
inline constexpr std::size_t kMaxChainCount = 8;

// The certificate in what lies in an NV index: DER, perhaps behind the head that TPM 1.2 had (tag
// 0x1001), and with whatever fills up the index behind it. kMalformed; kLimit.
Result<ByteVector> certificate_in_index(Bytes content);
// The certificates that lie one behind the other in NV indices 0x01c00100 and on: ends at the first
// byte that begins none. kMalformed where one is cut off; kLimit beyond kMaxChainCount.
Result<std::vector<ByteVector>> split_chain(Bytes content);

}  // namespace sealpack::tpm
