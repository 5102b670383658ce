// SPDX-License-Identifier: Apache-2.0
#include "formats/base/block_source.h"

#include <algorithm>

namespace sealpack {

Status BlockSource::read_scattered(std::uint64_t offset,
                                   std::span<const MutableBytes> pieces) const {
  for (const MutableBytes piece : pieces) {
    TRY(read_at(offset, piece));
    offset += piece.size();
  }
  return done();
}

Status MemorySource::read_at(std::uint64_t offset, MutableBytes out) const {
  if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
    return Error(ErrorCode::kIo, "read of " + std::to_string(out.size()) + " bytes at " +
                                     std::to_string(offset) + " runs past the end of " +
                                     std::to_string(bytes_.size()) + " bytes");
  }
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  return done();
}

}  // namespace sealpack
