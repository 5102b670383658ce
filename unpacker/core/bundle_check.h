// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "unpacker/core/file_reader.h"

namespace sealpack::unpacker {

// Proves every byte of a bundle without a key. The work is divided into units that may be checked
// in any order and in parallel: groups of 128 leaves, and one for the tar headers and padding.
class BundleCheck {
 public:
  explicit BundleCheck(const VerifiedBundle& bundle);  // which must outlive it

  std::uint64_t unit_count() const { return group_count_ + 1; }
  // Bytes that checking `unit` reads, for progress.
  std::uint64_t unit_size(std::uint64_t unit) const;
  // kNotAuthentic for a byte that is not as signed; kMalformed for one that is not as determined.
  Status check(std::uint64_t unit, FileReader& reader) const;

 private:
  struct Stream {
    std::uint64_t first_unit = 0;
    bool sealed = false;
    std::uint32_t file = 0;  // among the public or the sealed files
    std::size_t segment = 0;
    std::uint64_t size = 0;  // stored bytes
  };
  void add(Stream stream);
  const Stream& stream_of(std::uint64_t unit) const;
  Status check_headers() const;

  const VerifiedBundle* bundle_;
  std::vector<Stream> streams_;
  std::uint64_t group_count_ = 0;
};

}  // namespace sealpack::unpacker
