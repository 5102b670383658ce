// SPDX-License-Identifier: Apache-2.0
#include "attest/verify/snp/certificate_table.h"

#include <algorithm>
#include <array>

#include "formats/base/byte_reader.h"

namespace sealpack::attest::snp {
namespace {

using Guid = std::array<std::uint8_t, 16>;

enum class Content { kCertificate, kRevocationList };

struct KnownGuid {
  Guid guid;  // in the order in which it is written as text
  Content content;
};

constexpr KnownGuid kKnown[] = {
    // VCEK 63da758d-e664-4564-adc5-f4b93be8accd
    {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
      0xcd},
     Content::kCertificate},
    // VLEK a8074bc2-a25a-483e-aae6-39c045a0b8a1
    {{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
      0xa1},
     Content::kCertificate},
    // ASK or ASVK 4ab7b379-bbac-4fe4-a02f-05aef327c782
    {{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
      0x82},
     Content::kCertificate},
    // ARK c0b406a4-a803-4952-9743-3fb6014cd0ae
    {{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
      0xae},
     Content::kCertificate},
    // revocation list 92f81bc3-5811-4d3d-97ff-d19f88dc67ea
    {{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67,
      0xea},
     Content::kRevocationList},
};

// EFI's order: the first three groups little-endian.
Guid in_efi_order(Guid guid) {
  std::reverse(guid.begin(), guid.begin() + 4);
  std::reverse(guid.begin() + 4, guid.begin() + 6);
  std::reverse(guid.begin() + 6, guid.begin() + 8);
  return guid;
}

const KnownGuid* find_known(const Guid& guid) {
  for (const KnownGuid& known : kKnown) {
    if (guid == known.guid || guid == in_efi_order(known.guid)) return &known;
  }
  return nullptr;
}

struct Entry {
  Guid guid;
  std::uint64_t offset;
  std::uint64_t size;
};

Result<std::vector<Entry>> read_entries(ByteReader& in) {
  std::vector<Entry> entries;
  while (true) {
    Entry entry;
    entry.guid = TRY(in.array<16>("GUID"));
    entry.offset = TRY(in.u32("offset"));
    entry.size = TRY(in.u32("size"));
    if (entry.guid == Guid{}) {
      if (entry.offset != 0 || entry.size != 0) return in.malformed("its end is not all zeros");
      return entries;
    }
    if (entries.size() == kMaxTableEntries) {
      return Error(ErrorCode::kLimit, "SNP certificate table: more than 64 entries");
    }
    entries.push_back(entry);
  }
}

}  // namespace

Result<CertificateTable> parse_certificate_table(Bytes bytes) {
  ByteReader in(bytes, "SNP certificate table");
  const std::vector<Entry> entries = TRY(read_entries(in));
  CertificateTable table;
  for (const Entry& entry : entries) {
    // 64 bits: two sizes of 32 bits cannot wrap.
    if (entry.offset < in.position() || entry.offset + entry.size > bytes.size()) {
      return in.malformed("an entry of " + std::to_string(entry.size) + " bytes at " +
                          std::to_string(entry.offset) + " is not inside the data");
    }
    const KnownGuid* known = find_known(entry.guid);
    if (known == nullptr) continue;
    auto& list =
        known->content == Content::kCertificate ? table.certificates : table.revocation_lists;
    list.push_back(to_vector(bytes.subspan(entry.offset, entry.size)));
  }
  return table;
}

}  // namespace sealpack::attest::snp
