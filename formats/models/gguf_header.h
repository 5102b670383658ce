// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/base/block_source.h"

namespace sealpack::models {

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;                 // enum ggml_type
  std::vector<std::uint64_t> dimensions;  // as in the file: the one that changes fastest first
  std::uint64_t offset = 0;               // relative to data_offset
  std::uint64_t size = 0;                 // bytes
};

// The bytes of one key with its value.
struct GgufRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// What is needed to describe and divide a file; values are passed over, not kept, for tokenizers
// run to tens of megabytes.
struct GgufHeader {
  static constexpr std::uint64_t kKeysBegin = 24;

  std::uint64_t key_count = 0;
  std::uint64_t keys_end = kKeysBegin;
  std::uint64_t alignment = 32;
  std::optional<GgufRange> alignment_key;
  std::optional<GgufRange> architecture_key;
  std::string architecture;
  std::optional<std::uint32_t> file_type;
  std::vector<GgufTensor> tensors;  // in file order, offsets ascending
  std::uint64_t data_offset =
      0;  // a multiple of the alignment; may pass the end of a file without data
};

// GGUF version 3, little-endian. Strict: keys and tensor names unique UTF-8 without NUL, keys of at
// most 65535 bytes, names of at most 64, at most 4 dimensions, booleans 0 or 1, arrays nested up to
// 4 deep, alignment a power of two of at most 1 MiB, tensors aligned, ascending, not overlapping,
// inside the file. kMalformed; kUnsupported for other versions, byte order or tensor types; kLimit
// beyond 256 MiB of header, 2^16 keys, 2^20 tensors.
Result<GgufHeader> parse_gguf(const BlockSource& source);

// The fixed start of a file: magic, version, counts (kKeysBegin bytes).
ByteVector serialize_gguf_start(std::uint64_t tensor_count, std::uint64_t key_count);
// The entries of `tensors`, offsets as given.
ByteVector serialize_gguf_tensors(const std::vector<GgufTensor>& tensors);

}  // namespace sealpack::models
