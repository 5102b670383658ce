// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Constants of format 1 (FORMAT.md §11); a reader refuses what exceeds them.
namespace sealpack::bundle {

inline constexpr std::uint32_t kFormat = 1;
inline constexpr std::uint32_t kSuite = 1;        // Cobblestone-256 segments, SHA-256 tree
inline constexpr std::uint32_t kLoaderLevel = 1;  // what this reader offers to Release::min_loader

inline constexpr std::uint64_t kAlignment = 4096;  // member data start at multiples of it
inline constexpr std::uint64_t kHeadOffset = kAlignment;
inline constexpr std::uint32_t kMinHeadSize = 64U << 10U;
inline constexpr std::uint32_t kMaxHeadSize = 32U << 20U;
inline constexpr std::uint64_t kMaxContentSize = 64U << 20U;
inline constexpr std::uint64_t kMaxReleaseSize = 1U << 20U;
inline constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 46U;

inline constexpr std::uint64_t kMaxSegmentSize = 64U << 20U;  // plaintext
inline constexpr std::size_t kMaxFiles = 1U << 17U;
inline constexpr std::size_t kMaxSegments = 1U << 20U;
inline constexpr std::size_t kMaxExtents = 1U << 21U;
inline constexpr std::size_t kMaxTensors = 1U << 20U;
inline constexpr std::size_t kMaxDimensions = 32;
inline constexpr std::size_t kMaxSlots = 1U << 17U;
inline constexpr std::size_t kMaxSignatures = 64;
inline constexpr std::uint64_t kMaxGrantSize = 2048;
inline constexpr std::uint32_t kMinArgon2MemoryKib = 8;  // less is no Argon2 (RFC 9106 §3.1)
inline constexpr std::uint32_t kMaxArgon2Passes = 16;
inline constexpr std::uint32_t kMaxArgon2MemoryKib = 1U << 20U;
inline constexpr std::size_t kMaxTextSize = 4096;  // names, versions, reasons
inline constexpr std::size_t kMaxLicenceSize = 262144;

}  // namespace sealpack::bundle
