// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "formats/base/bytes.h"

namespace sealpack::measure {

// A PE/COFF image ("Microsoft PE Format"), as UEFI loads one: PE32 or PE32+. Views into the input.
struct PeSection {
  std::string name;
  Bytes data;  // in the file
  std::uint32_t virtual_size = 0;
};
struct PeImage {
  std::vector<PeSection> sections;  // in the order of the headers
  Digest authenticode;              // SHA-256
};

// kMalformed for images whose sections overlap, lie outside the file or before the end of the
// headers, and for signatures that do not end the file: for those the hash is not defined, or
// firmwares differ. The hash is over the headers without checksum and signature entry, the sections
// by their place in the file, and what lies between them and the signature ("Windows Authenticode
// Portable Executable Signature Format", Calculating the PE Image Hash).
Result<PeImage> parse_pe_image(Bytes file);

}  // namespace sealpack::measure
