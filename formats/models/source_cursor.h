// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "formats/base/block_source.h"

namespace sealpack::models {

// ByteReader for a header too large to hold: reads the first `limit` bytes of a source through a
// window and never the same byte twice, so that a file that changes meanwhile shows one content.
// Integers are little-endian. kMalformed where the source ends, kLimit where the limit does.
class SourceCursor {
 public:
  static constexpr std::size_t kWindowSize = std::size_t{256} << 10U;

  // `source` and `what` must outlive the cursor.
  SourceCursor(const BlockSource& source, std::uint64_t limit, std::string_view what)
      : source_(source), end_(std::min(source.size(), limit)), what_(what) {}

  std::uint64_t position() const { return position_; }

  Result<std::uint8_t> u8(std::string_view field);
  Result<std::uint32_t> u32(std::string_view field);
  Result<std::uint64_t> u64(std::string_view field);
  // `size` bytes, at most kWindowSize (the caller has checked).
  Result<std::string> text(std::uint64_t size, std::string_view field);
  Status skip(std::uint64_t size, std::string_view field);
  // That `count` things of at least `size` bytes each may follow.
  Status require(std::uint64_t count, std::uint64_t size, std::string_view field) const;

  // "<what>, byte <position>: <why>", kMalformed.
  Error malformed(const std::string& why) const;
  Error beyond_limit(const std::string& why) const;

 private:
  Result<Bytes> take(std::size_t size, std::string_view field);

  const BlockSource& source_;
  std::uint64_t end_;
  std::string_view what_;
  std::uint64_t position_ = 0;
  std::uint64_t window_begin_ = 0;
  ByteVector window_;
};

}  // namespace sealpack::models
