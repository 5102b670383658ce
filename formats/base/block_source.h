// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack {

// Random access to bytes that may change under us: a file, a directory of members, memory, later
// https or an OCI registry. Readers copy once and verify the copy. Calls may run in parallel.
class BlockSource {
 public:
  virtual ~BlockSource() = default;

  // Size in bytes, fixed when the source was opened.
  virtual std::uint64_t size() const = 0;

  // Fills `out` from `offset`. kIo when fewer bytes are there (the source shrank) or reading fails.
  virtual Status read_at(std::uint64_t offset, MutableBytes out) const = 0;

  // Fills the pieces in order from consecutive bytes: one call instead of many. Default: one
  // read_at each.
  virtual Status read_scattered(std::uint64_t offset, std::span<const MutableBytes> pieces) const;
};

// Bytes in memory, owned.
class MemorySource : public BlockSource {
 public:
  explicit MemorySource(ByteVector bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes out) const override;

 private:
  ByteVector bytes_;
};

}  // namespace sealpack
