// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/models/model.h"

namespace sealpack::models {

// Entry of a safetensors header; offsets are relative to the start of the data.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::uint64_t size = 0;                 // of the JSON text, without the 8-byte length
  std::vector<SafetensorsEntry> entries;  // sorted by begin
  std::vector<std::pair<std::string, std::string>> metadata;  // of __metadata__, in file order
  std::uint64_t data_offset() const { return 8 + size; }
};

// Parses the 8-byte length and JSON text at the start of a file of `file_size` bytes. Strict:
// first byte '{', JSON (RFC 8259) with no duplicate keys, only spaces behind it, known dtypes,
// shape times element size equals the range, ranges tile the data without hole or overlap to the
// end of the file, names without NUL, no unknown field in a tensor, header at most 100 MB, at most
// 2^20 tensors of at most 64 dimensions, 2^16 keys of metadata.
// `prefix` holds at least the 8 + n leading bytes. kMalformed; kUnsupported for an unknown dtype;
// kLimit.
Result<SafetensorsHeader> parse_safetensors(Bytes prefix, std::uint64_t file_size);

// The same from the start of `source`, whose header is read once.
Result<SafetensorsHeader> read_safetensors_header(const BlockSource& source);

// The 8-byte length, JSON and padding with spaces to a multiple of 8. Entries tile the data in the
// order given: begin and end follow from dtypes and shapes, which must be as parse_safetensors
// accepts them.
ByteVector serialize_safetensors_header(
    const std::vector<SafetensorsEntry>& entries,
    const std::vector<std::pair<std::string, std::string>>& metadata);

// Bits per element of a safetensors dtype, 0 if unknown.
unsigned safetensors_bits(std::string_view dtype);

// `file` is the index that the pieces of a split refer to.
Result<std::unique_ptr<Model>> open_safetensors(std::uint32_t file, const InputFile& input);

}  // namespace sealpack::models
