// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/content.h"

namespace sealpack::bundle {

// One tar member. Its headers start at header_offset, where the zero padding of the member before
// ends, and its data at a multiple of 4096.
struct Member {
  std::string path;
  std::uint64_t header_offset = 0;
  std::uint64_t data_offset = 0;
  std::uint64_t size = 0;
};

// Where everything is in the file: a pure function of the content manifest and its size, so that no
// tar header is ever believed (FORMAT.md §3).
struct Layout {
  std::vector<Member> members;                     // head, content, tree, public/…, sealed/…
  std::vector<std::uint64_t> public_offsets;       // of the data of public file i
  std::vector<std::uint64_t> public_tree_offsets;  // of its stored nodes
  struct SegmentPlace {
    std::uint64_t number = 0;        // in the bundle
    std::uint64_t plain_offset = 0;  // of its plaintext in the file
    std::uint64_t data_offset = 0;   // of its ciphertext
    std::uint64_t sealed_size = 0;
    std::uint64_t tree_offset = 0;
  };
  std::vector<std::vector<SegmentPlace>> segments;  // per sealed file
  std::vector<std::uint64_t> sealed_sizes;          // plaintext, per sealed file
  std::uint64_t file_size = 0;
};

// Offset of the content manifest's bytes in a bundle with a head of this size.
std::uint64_t content_offset(std::uint32_t head_size);

// kLimit when the bundle would exceed 2^62 bytes.
Result<Layout> layout_of(const Content& content, std::uint64_t content_size);

// The bytes from header_offset to data_offset: a pax header (path, size, and a comment that fills
// up to the alignment) and a ustar header, all other fields fixed.
ByteVector member_headers(const Member& member);

// The zero bytes behind the last member: padding to 512 and the end-of-archive mark.
inline constexpr std::uint64_t kTarBlock = 512;
inline constexpr std::uint64_t kEndMark = 1024;

}  // namespace sealpack::bundle
