// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::attest::snp {

// What a host gives beside a report ("SEV-ES Guest-Hypervisor Communication Block Standardization",
// 56421, SNP extended guest request; auxblob of Linux' configfs-tsm): entries of 24 bytes (GUID,
// offset, size), ended by one of zeros, then what they point to. Written by the host: untrusted.
struct CertificateTable {
  std::vector<ByteVector> certificates;      // VCEK, VLEK, ASK and ARK, as they are there
  std::vector<ByteVector> revocation_lists;  // likewise
};

inline constexpr std::size_t kMaxTableEntries = 64;

// Entries of other GUIDs are skipped: hosts put data of their own there. A known GUID is taken in
// either of its two byte orders. kMalformed where there is no end, for entries that point outside
// or into the entries themselves; kLimit for more than 64 entries.
Result<CertificateTable> parse_certificate_table(Bytes bytes);

}  // namespace sealpack::attest::snp
