// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/bundle/layout.h"

namespace sealpack::capi {

// Where a run of bytes of an original file is: in file number `file` of the bundle.
struct Piece {
  std::uint32_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool ends_extent = false;  // what follows lies elsewhere
};

// Finds the bytes of original files, in pieces that end where blocks of the bundle do, so that no
// block is read and proven twice. Both arguments must outlive it.
class FileMap {
 public:
  FileMap(const bundle::Content& content, const bundle::Layout& layout);

  // The piece that starts at `offset` of original file `original`, at most `limit` bytes; `offset`
  // is inside the file. Only the last block of a piece is cut, where `limit` is below a block.
  Piece piece(std::size_t original, std::uint64_t offset, std::uint64_t limit) const;

  // Bytes of an original file that are in sealed files.
  std::uint64_t sealed_size(std::size_t original) const;

 private:
  // Bytes from `offset` of a file to the last end of a block within `limit`.
  std::uint64_t whole_blocks(std::uint32_t file, std::uint64_t offset, std::uint64_t limit) const;

  const bundle::Content* content_;
  const bundle::Layout* layout_;
  std::vector<std::vector<std::uint64_t>> starts_;  // of the extents, by original file
};

}  // namespace sealpack::capi
