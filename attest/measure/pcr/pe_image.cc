// SPDX-License-Identifier: Apache-2.0
#include "attest/measure/pcr/pe_image.h"

#include <algorithm>

#include "formats/base/byte_reader.h"
#include "keymgmt/crypto/sha256.h"

namespace sealpack::measure {
namespace {

constexpr std::string_view kWhat = "PE image";
constexpr std::uint32_t kPeOffsetAt = 0x3c;
constexpr std::uint16_t kPe32 = 0x10b;
constexpr std::uint16_t kPe32Plus = 0x20b;
constexpr std::uint64_t kCoffSize = 24;  // the signature PE\0\0 and the COFF header
constexpr std::uint64_t kChecksumAt = 64;
constexpr std::uint64_t kHeadersSizeAt = 60;
constexpr std::uint32_t kSecurityEntry = 4;
constexpr std::uint64_t kSectionHeaderSize = 40;
constexpr std::uint16_t kMaxSections = 96;

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, std::string(kWhat) + ": " + why};
}

struct Span {
  std::uint64_t at = 0;
  std::uint64_t size = 0;
};

// Where the parts lie that the hash treats apart.
struct Layout {
  std::uint64_t checksum_at = 0;
  std::uint64_t security_at = 0;  // the entry of the directory, 8 bytes
  std::uint64_t headers_size = 0;
  Span signature;
  std::uint64_t sections_at = 0;
  std::uint16_t section_count = 0;
};

Result<Bytes> part(Bytes file, std::uint64_t at, std::uint64_t size, const char* what) {
  if (at > file.size() || size > file.size() - at) {
    return malformed(std::string(what) + " outside the file");
  }
  return file.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
}

Result<Layout> read_layout(Bytes file) {
  ByteReader dos(file, kWhat);
  if (as_text(TRY(dos.bytes(2, "DOS signature"))) != "MZ") return dos.malformed("no MZ");
  TRY(dos.skip(kPeOffsetAt - 2, "DOS header"));
  const std::uint64_t pe = TRY(dos.u32("offset of the PE header"));
  ByteReader coff(TRY(part(file, pe, kCoffSize, "PE header")), kWhat);
  if (as_text(TRY(coff.bytes(4, "signature"))) != std::string_view("PE\0\0", 4)) {
    return coff.malformed("no PE signature");
  }
  Layout layout;
  TRY(coff.u16("machine"));
  layout.section_count = TRY(coff.u16("number of sections"));
  TRY(coff.skip(12, "time and symbols"));
  const std::uint16_t optional_size = TRY(coff.u16("size of the optional header"));
  const std::uint64_t optional_at = pe + kCoffSize;
  const Bytes optional = TRY(part(file, optional_at, optional_size, "optional header"));
  ByteReader in(optional, kWhat);
  const std::uint16_t magic = TRY(in.u16("magic"));
  if (magic != kPe32 && magic != kPe32Plus) return in.malformed("neither PE32 nor PE32+");
  TRY(in.skip(kHeadersSizeAt - 2, "optional header"));
  layout.headers_size = TRY(in.u32("size of headers"));
  layout.checksum_at = optional_at + kChecksumAt;
  const std::uint64_t directories_at = magic == kPe32 ? 96 : 112;
  constexpr std::uint64_t kDirectoriesSize = 4 + 8 * (kSecurityEntry + 1);
  ByteReader directories(
      TRY(part(optional, directories_at - 4, kDirectoriesSize, "data directories")), kWhat);
  if (TRY(directories.u32("number of directories")) <= kSecurityEntry) {
    return directories.malformed("no entry for a signature");
  }
  TRY(directories.skip(8 * kSecurityEntry, "data directories"));
  layout.signature.at = TRY(directories.u32("offset of the signature"));
  layout.signature.size = TRY(directories.u32("size of the signature"));
  layout.security_at = optional_at + directories_at + 8 * kSecurityEntry;
  layout.sections_at = optional_at + optional_size;
  return layout;
}

Status check_layout(const Layout& layout, Bytes file) {
  if (layout.section_count == 0 || layout.section_count > kMaxSections) {
    return malformed(std::to_string(layout.section_count) + " sections, 1 to 96 are possible");
  }
  const std::uint64_t end = layout.sections_at + kSectionHeaderSize * layout.section_count;
  if (end > layout.headers_size || layout.headers_size > file.size()) {
    return malformed("headers of " + std::to_string(layout.headers_size) + " bytes");
  }
  const Span& signature = layout.signature;
  if (signature.size == 0) return done();
  if (signature.at < layout.headers_size || signature.at + signature.size != file.size()) {
    return malformed("a signature that does not end the file");
  }
  return done();
}

struct PlacedSection {
  PeSection section;
  Span place;
};

Result<std::vector<PlacedSection>> read_sections(const Layout& layout, Bytes file) {
  ByteReader in(TRY(part(file, layout.sections_at, kSectionHeaderSize * layout.section_count,
                         "section headers")),
                kWhat);
  const std::uint64_t limit = layout.signature.size == 0 ? file.size() : layout.signature.at;
  std::vector<PlacedSection> sections;
  for (std::uint16_t i = 0; i < layout.section_count; ++i) {
    PlacedSection one;
    const std::string_view name = as_text(TRY(in.bytes(8, "name")));
    one.section.name = std::string(name.substr(0, name.find('\0')));
    one.section.virtual_size = TRY(in.u32("virtual size"));
    TRY(in.u32("virtual address"));
    one.place.size = TRY(in.u32("size of raw data"));
    one.place.at = TRY(in.u32("pointer to raw data"));
    TRY(in.skip(16, "relocations and characteristics"));
    if (one.place.size != 0) {
      if (one.place.at + one.place.size > limit) {
        return malformed("section " + printable(one.section.name) + " beyond its part of the file");
      }
      one.section.data = TRY(part(file, one.place.at, one.place.size, "section"));
    }
    sections.push_back(std::move(one));
  }
  return sections;
}

Result<Digest> hash_image(const Layout& layout, std::vector<PlacedSection> sections, Bytes file) {
  const auto between = [&](std::uint64_t from, std::uint64_t to) {
    return file.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  };
  crypto::Sha256 hash;
  hash.update(between(0, layout.checksum_at));
  hash.update(between(layout.checksum_at + 4, layout.security_at));
  hash.update(between(layout.security_at + 8, layout.headers_size));
  std::sort(sections.begin(), sections.end(),
            [](const auto& a, const auto& b) { return a.place.at < b.place.at; });
  std::uint64_t hashed = layout.headers_size;
  std::uint64_t end = layout.headers_size;
  for (const PlacedSection& one : sections) {
    if (one.place.size == 0) continue;
    if (one.place.at < end) return malformed("sections that overlap, or lie in the headers");
    hash.update(one.section.data);
    end = one.place.at + one.place.size;
    hashed += one.place.size;
  }
  // What the sections do not cover, as firmware finds it: by size, from where they ended were they
  // packed.
  const std::uint64_t limit = file.size() - layout.signature.size;
  if (hashed < limit) hash.update(between(hashed, limit));
  return hash.finish();
}

}  // namespace

Result<PeImage> parse_pe_image(Bytes file) {
  const Layout layout = TRY(read_layout(file));
  TRY(check_layout(layout, file));
  std::vector<PlacedSection> sections = TRY(read_sections(layout, file));
  PeImage image;
  for (const PlacedSection& one : sections) image.sections.push_back(one.section);
  image.authenticode = TRY(hash_image(layout, std::move(sections), file));
  return image;
}

}  // namespace sealpack::measure
