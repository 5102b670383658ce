// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_wire.h"

namespace sealpack::models::onnx {

// Bounds on the structure of a model, whatever its size in bytes.
inline constexpr std::uint64_t kMaxFieldCount = std::uint64_t{1} << 21U;
inline constexpr std::uint64_t kMaxTextSize = std::uint64_t{64} << 10U;   // one name
inline constexpr std::uint64_t kMaxTextTotal = std::uint64_t{64} << 20U;  // all names
inline constexpr unsigned kMaxGraphDepth = 32;
inline constexpr unsigned kMaxMessageDepth = 160;

// Parses a ModelProto of untrusted bytes: structure into memory, bulk as ranges of the source.
// Every field is known and has its wire type, fields of onnx.proto that are not repeated appear
// once, and the elements of a list follow each other. kMalformed; kUnsupported for a field that IR
// version 10 does not know, with its path; kLimit; errors of the source.
Result<MessagePointer> parse_model(const BlockSource& source);

// Elements of a list of integers, at most `limit` (kLimit).
Result<std::vector<std::uint64_t>> read_integers(const BlockSource& source, const ElementList& list,
                                                 std::uint64_t limit);

}  // namespace sealpack::models::onnx
