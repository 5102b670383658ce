// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "attest/verify/verify.h"

namespace sealpack::attest {

// Endorsements as one message: what a release request carries, and a file that replaces a folder.
// docs/ATTESTATION.md has its bytes. The canonical protobuf subset (FORMAT.md §2): 1 version (1),
// then one repeated field of bytes for each list, each ascending and distinct: 2 certificates,
// 3 revocation lists, 4 TCB infos, 5 enclave identities, 7 public keys, 8 OCSP responses. 6 is
// reserved, and refused.
inline constexpr std::uint64_t kMaxEndorsementsSize = 16U << 20U;
inline constexpr std::uint64_t kMaxEndorsementSize = 4U << 20U;  // of one of them
inline constexpr std::size_t kMaxEndorsements = 1024;            // in one list

// In any order; what is there twice is written once. Within the limits above.
ByteVector serialize_endorsements(const Endorsements& endorsements);
// What they are is not looked at. kMalformed; kLimit; kUnsupported for another version.
Result<Endorsements> parse_endorsements(Bytes bytes);

// Adds what `more` has and `into` has not.
void merge_endorsements(Endorsements& into, const Endorsements& more);

}  // namespace sealpack::attest
