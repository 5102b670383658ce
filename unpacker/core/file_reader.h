// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "unpacker/core/bundle.h"

namespace sealpack::unpacker {

// Reads files of a bundle by number (public files first, then sealed). Every byte it gives out was
// compared with the signed tree and, in sealed files, passed its tag. One object per thread; the
// bundle must outlive it. Takes memory for `leaves` leaves (1 to kMostLeaves), of 16 KiB each, and
// from 8 on a multi-buffer hash. Fewer are slower and smaller: memory_needed().
class FileReader {
 public:
  static constexpr std::size_t kMostLeaves = 16;  // lanes of the widest multi-buffer SHA-256
  explicit FileReader(const VerifiedBundle& bundle,
                      std::size_t leaves = kMostLeaves);  // public files only
  explicit FileReader(const OpenBundle& bundle, std::size_t leaves = kMostLeaves);  // all files
  // About how many bytes one takes.
  static std::size_t memory_needed(std::size_t leaves);
  ~FileReader();
  FileReader(FileReader&&) noexcept;
  FileReader& operator=(FileReader&&) noexcept;

  // Fills `out` from byte `offset` of the plaintext of file number `file`. On failure `out` is all
  // zero. kNotAuthentic; kIo; kUsage for a range outside the file; kKeyUnavailable for a sealed
  // file without a key.
  Status read(std::uint32_t file, std::uint64_t offset, MutableBytes out);

  // Like read, for bytes of an input file put together from wherever they are now.
  Status read_original(const bundle::OriginalFile& original, std::uint64_t offset,
                       MutableBytes out);

  // Proves stored bytes of a public file or a segment without decrypting them.
  Status check_public(std::uint32_t public_file, std::uint64_t first_leaf, std::uint64_t count);
  Status check_segment(std::uint32_t sealed_file, std::size_t segment, std::uint64_t first_leaf,
                       std::uint64_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealpack::unpacker
