// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/base/bytes.h"

namespace sealpack::rim {

inline constexpr std::uint64_t kMaxManifestFile = 2U << 20U;

// The XML of a manifest, from a file that is it (.swidtag) or what NVIDIA's service answers: JSON
// {"id", "rim": base64, …}. Nothing is proven. kMalformed.
Result<ByteVector> unwrap_manifest(Bytes file);

}  // namespace sealpack::rim
