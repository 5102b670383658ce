// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/snp/firmware_image.h"

#include <algorithm>
#include <array>

#include "formats/base/byte_reader.h"

namespace sealpack::attest::snp {
namespace {

using Guid = std::array<std::uint8_t, 16>;

// In EFI's byte order.
constexpr Guid kTable{0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                      0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
constexpr Guid kKernelHashesTable{0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                  0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
constexpr Guid kResetBlock{0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                           0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
constexpr Guid kMetadata{0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                         0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

constexpr std::size_t kAfterTable = 32;   // the reset vector's code
constexpr std::size_t kEntryHeader = 18;  // its size (u16), its GUID: behind what it holds
constexpr std::size_t kMaxImage = 64U << 20U;
constexpr std::uint32_t kMaxSections = 64;
constexpr std::uint64_t k4GiB = std::uint64_t{1} << 32U;

Error malformed(const std::string& why) {
  return Error(ErrorCode::kMalformed, "firmware image: " + why);
}

struct Entry {
  Guid guid;
  Bytes content;
};

// The last entry of `table`, which grows downwards, taken off it.
Result<Entry> take_entry(Bytes& table, std::string_view what) {
  if (table.size() < kEntryHeader) return malformed(std::string(what) + " is cut off");
  ByteReader in(table.last(kEntryHeader), "firmware table entry");
  const std::uint16_t size = TRY(in.u16("size"));
  Entry entry;
  entry.guid = TRY(in.array<16>("GUID"));
  if (size < kEntryHeader || size > table.size()) {
    return malformed(std::string(what) + " of " + std::to_string(size) + " bytes is not inside");
  }
  entry.content = table.last(size).first(size - kEntryHeader);
  table = table.first(table.size() - size);
  return entry;
}

Result<std::uint32_t> first_u32(Bytes content, std::string_view field) {
  ByteReader in(content, "firmware table entry");
  return in.u32(field);
}

bool is_known(std::uint32_t type) {
  switch (static_cast<SectionType>(type)) {
    case SectionType::kMemory:
    case SectionType::kSecrets:
    case SectionType::kCpuid:
    case SectionType::kCallingArea:
    case SectionType::kKernelHashes:
      return true;
  }
  return false;
}

Result<Section> read_section(ByteReader& in) {
  Section section;
  section.address = TRY(in.u32("address"));
  section.size = TRY(in.u32("size"));
  const std::uint32_t type = TRY(in.u32("type"));
  if (!is_known(type)) {
    return Error(ErrorCode::kUnsupported,
                 "firmware image: a section of the unknown type " + std::to_string(type));
  }
  section.type = static_cast<SectionType>(type);
  if (section.address % kPageSize != 0 || section.size % kPageSize != 0 || section.size == 0 ||
      std::uint64_t{section.address} + section.size > k4GiB) {
    return in.malformed("a section that is not whole pages below 4 GiB");
  }
  const bool is_one_page = section.type == SectionType::kSecrets ||
                           section.type == SectionType::kCpuid ||
                           section.type == SectionType::kKernelHashes;
  if (is_one_page && section.size != kPageSize) {
    return in.malformed("a section of one page has " + std::to_string(section.size) + " bytes");
  }
  return section;
}

Result<std::vector<Section>> read_metadata(Bytes image, std::uint32_t from_end) {
  constexpr std::array<std::uint8_t, 4> kSignature{'A', 'S', 'E', 'V'};
  if (from_end > image.size()) return malformed("its SEV metadata is not inside");
  ByteReader in(image.last(from_end), "SEV metadata");
  if (TRY(in.array<4>("signature")) != kSignature) return in.malformed("no signature ASEV");
  const std::uint32_t size = TRY(in.u32("size"));
  const std::uint32_t version = TRY(in.u32("version"));
  if (version != 1) {
    return Error(ErrorCode::kUnsupported, "SEV metadata of version " + std::to_string(version));
  }
  const std::uint32_t count = TRY(in.u32("count"));
  if (count > kMaxSections || size != 16 + 12 * std::uint64_t{count}) {
    return in.malformed(std::to_string(count) + " sections in " + std::to_string(size) + " bytes");
  }
  std::vector<Section> sections;
  for (std::uint32_t i = 0; i < count; ++i) sections.push_back(TRY(read_section(in)));
  return sections;
}

}  // namespace

Result<FirmwareImage> parse_firmware_image(Bytes image) {
  if (image.empty() || image.size() % kPageSize != 0 || image.size() > kMaxImage) {
    return malformed(std::to_string(image.size()) + " bytes are not 1 page to 64 MiB of pages");
  }
  FirmwareImage result;
  result.address = static_cast<std::uint32_t>(k4GiB - image.size());
  Bytes rest = image.first(image.size() - kAfterTable);
  const Entry table = TRY(take_entry(rest, "the table at its end"));
  if (table.guid != kTable) {
    return Error(ErrorCode::kUnsupported, "firmware image: no GUIDed table at its end: not OVMF");
  }
  bool has_reset = false;
  bool has_metadata = false;
  for (Bytes entries = table.content; !entries.empty();) {
    const Entry entry = TRY(take_entry(entries, "an entry of its table"));
    if (entry.guid == kKernelHashesTable) {
      result.kernel_hashes = TRY(first_u32(entry.content, "kernel hashes"));
    } else if (entry.guid == kResetBlock) {
      result.secondary_start = TRY(first_u32(entry.content, "reset address"));
      has_reset = true;
    } else if (entry.guid == kMetadata) {
      result.sections =
          TRY(read_metadata(image, TRY(first_u32(entry.content, "SEV metadata offset"))));
      has_metadata = true;
    }
  }
  if (!has_reset || !has_metadata) {
    return Error(ErrorCode::kUnsupported,
                 "firmware image: built without SEV-SNP (no reset block or SEV metadata)");
  }
  return result;
}

}  // namespace sealpack::attest::snp
