// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "formats/base/bytes.h"

namespace sealpack::bundle {

// Domain separation: every derived or bound value starts with one of these. docs/FORMAT.md §10 has
// the same table.
inline constexpr std::string_view kSegmentLabel = "sealpack/v1/segment";
inline constexpr std::string_view kSlotLabel = "sealpack/v1/slot";
inline constexpr std::string_view kSlotHintLabel = "sealpack/v1/slot-hint";
inline constexpr std::string_view kKeyCommitmentLabel = "sealpack/v1/content-key-commitment";
inline constexpr std::string_view kSymmetricKeyIdLabel = "sealpack/v1/symmetric-key-id";
inline constexpr std::string_view kReleaseType = "application/vnd.sealpack.release.v1";

// Length-prefixed concatenation: each part as u64 little-endian size, then its bytes. No two lists
// of parts give the same bytes.
class LengthPrefixed {
 public:
  LengthPrefixed& add(Bytes part);
  LengthPrefixed& add(std::string_view part) { return add(as_bytes(part)); }
  LengthPrefixed& add(std::uint64_t number);  // as 8 bytes, little-endian
  const ByteVector& bytes() const { return bytes_; }

 private:
  ByteVector bytes_;
};

}  // namespace sealpack::bundle
