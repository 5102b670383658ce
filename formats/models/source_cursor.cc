// SPDX-License-Identifier: Apache-2.0
#include "formats/models/source_cursor.h"

#include "formats/base/byte_reader.h"

namespace sealpack::models {

Error SourceCursor::malformed(const std::string& why) const {
  return {ErrorCode::kMalformed,
          std::string(what_) + ", byte " + std::to_string(position_) + ": " + why};
}

Error SourceCursor::beyond_limit(const std::string& why) const {
  return {ErrorCode::kLimit,
          std::string(what_) + ", byte " + std::to_string(position_) + ": " + why};
}

Status SourceCursor::require(std::uint64_t count, std::uint64_t size,
                             std::string_view field) const {
  const auto need = checked_multiply(count, size);
  if (need && *need <= end_ - position_) return done();
  if (need && *need <= source_.size() - position_) {
    return beyond_limit(std::string(field) + " passes the limit of " + format_size(end_));
  }
  return malformed("ends inside " + std::string(field) + ", which needs " +
                   (need ? std::to_string(*need) : std::string("more than 2^64")) +
                   " bytes where " + std::to_string(source_.size() - position_) + " are left");
}

Status SourceCursor::skip(std::uint64_t size, std::string_view field) {
  TRY(require(1, size, field));
  position_ += size;
  return done();
}

Result<Bytes> SourceCursor::take(std::size_t size, std::string_view field) {
  TRY(require(1, size, field));
  const std::uint64_t window_end = window_begin_ + window_.size();
  if (position_ + size > window_end) {
    // Keep what was read already; fetch only what lies behind it.
    const std::uint64_t kept = position_ < window_end ? window_end - position_ : 0;
    window_.erase(window_.begin(), window_.end() - static_cast<std::ptrdiff_t>(kept));
    window_begin_ = position_;
    const std::uint64_t want = std::min<std::uint64_t>(kWindowSize, end_ - position_);
    window_.resize(static_cast<std::size_t>(want));
    TRY(source_.read_at(position_ + kept,
                        MutableBytes(window_).subspan(static_cast<std::size_t>(kept))));
  }
  const Bytes view =
      Bytes(window_).subspan(static_cast<std::size_t>(position_ - window_begin_), size);
  position_ += size;
  return view;
}

Result<std::uint8_t> SourceCursor::u8(std::string_view field) {
  return TRY(take(1, field))[0];
}
Result<std::uint32_t> SourceCursor::u32(std::string_view field) {
  return ByteReader(TRY(take(4, field)), what_).u32(field);
}
Result<std::uint64_t> SourceCursor::u64(std::string_view field) {
  return ByteReader(TRY(take(8, field)), what_).u64(field);
}

Result<std::string> SourceCursor::text(std::uint64_t size, std::string_view field) {
  if (size > kWindowSize) die("SourceCursor::text: larger than the window");
  return std::string(as_text(TRY(take(static_cast<std::size_t>(size), field))));
}

}  // namespace sealpack::models
