// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keymgmt/broker/records.h"

// Records that are more than a few columns, as the bytes in one.
namespace sealpack::broker::internal {

inline constexpr std::size_t kChallengeKeySize = 32;
inline constexpr std::size_t kMaxProductSize = 512;  // bytes; fits an index of PostgreSQL
inline constexpr std::size_t kMaxDeviceSize = 256;

ByteVector serialize_digests(std::span<const Digest> digests);
Result<std::vector<Digest>> parse_digests(Bytes bytes);

ByteVector serialize_list(std::span<const ByteVector> list);
Result<std::vector<ByteVector>> parse_list(Bytes bytes);

// Whether claims, as they lie beside the log (serialize_claims in rules.h), have this value.
Result<bool> has_claim(Bytes claims, Bytes value);

// As a launch configuration with one owner (LOADER-FORMATS.md §1).
Result<ByteVector> serialize_vendor(const Vendor& vendor);
Result<Vendor> parse_vendor(const std::string& name, Bytes bytes);

}  // namespace sealpack::broker::internal
