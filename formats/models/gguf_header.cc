// SPDX-License-Identifier: Apache-2.0
#include "formats/models/gguf_header.h"

#include <bit>

#include "formats/models/ggml_types.h"
#include "formats/models/names.h"
#include "formats/models/source_cursor.h"

namespace sealpack::models {
namespace {

constexpr std::string_view kWhat = "GGUF header";
constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kMaxHeaderSize = std::uint64_t{256} << 20U;
constexpr std::uint64_t kMaxKeys = std::uint64_t{1} << 16U;
constexpr std::uint64_t kMaxTensors = std::uint64_t{1} << 20U;
constexpr std::uint64_t kMaxKeySize = 65535;
constexpr std::uint64_t kMaxNameSize = 64;
constexpr std::uint64_t kMaxArchitectureSize = 64;
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 20U;
constexpr std::uint32_t kMaxDimensions = 4;
constexpr unsigned kMaxArrayDepth = 4;
// The least bytes a key (length, one character, type, a one-byte value) and a tensor entry
// (length, one character, dimension count, type, offset) take.
constexpr std::uint64_t kMinKeySize = 8 + 1 + 4 + 1;
constexpr std::uint64_t kMinTensorSize = 8 + 1 + 4 + 4 + 8;

enum ValueType : std::uint32_t { kUint32 = 4, kBool = 7, kString = 8, kArray = 9, kTypeCount = 13 };

// Bytes of a value of fixed size; 0 for strings and arrays.
constexpr std::uint64_t kValueSizes[kTypeCount] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

Result<std::string> parse_name(SourceCursor& in, std::uint64_t limit, std::string_view field) {
  const std::uint64_t size = TRY(in.u64(field));
  if (size == 0 || size > limit) {
    return in.malformed(std::string(field) + " of " + std::to_string(size) +
                        " bytes, allowed are " + "1 to " + std::to_string(limit));
  }
  std::string name = TRY(in.text(size, field));
  if (!is_utf8(name) || name.find('\0') != std::string::npos) {
    return in.malformed(std::string(field) + " " + shown(name) + " is not UTF-8 without NUL");
  }
  return name;
}

Status skip_bools(SourceCursor& in, std::uint64_t count) {
  TRY(in.require(count, 1, "a boolean"));
  for (; count > 0; --count) {
    if (TRY(in.u8("a boolean")) > 1) return in.malformed("a boolean is neither 0 nor 1");
  }
  return done();
}

Status skip_string(SourceCursor& in) {
  return in.skip(TRY(in.u64("the length of a string")), "a string");
}

Status skip_array(SourceCursor& in, unsigned depth) {
  if (depth == kMaxArrayDepth) return in.beyond_limit("more than 4 levels of arrays");
  const std::uint32_t type = TRY(in.u32("an element type"));
  const std::uint64_t count = TRY(in.u64("the length of an array"));
  if (type >= kTypeCount) return in.malformed("unknown value type " + std::to_string(type));
  if (type == kBool) return skip_bools(in, count);
  if (type == kString) {
    TRY(in.require(count, 8, "an array"));
    for (std::uint64_t i = 0; i < count; ++i) TRY(skip_string(in));
    return done();
  }
  if (type == kArray) {
    TRY(in.require(count, 12, "an array"));
    for (std::uint64_t i = 0; i < count; ++i) TRY(skip_array(in, depth + 1));
    return done();
  }
  TRY(in.require(count, kValueSizes[type], "an array"));
  return in.skip(count * kValueSizes[type], "an array");
}

Status skip_value(SourceCursor& in, std::uint32_t type) {
  if (type >= kTypeCount) return in.malformed("unknown value type " + std::to_string(type));
  if (type == kBool) return skip_bools(in, 1);
  if (type == kString) return skip_string(in);
  if (type == kArray) return skip_array(in, 0);
  return in.skip(kValueSizes[type], "a value");
}

Status expect_type(const SourceCursor& in, std::uint32_t type, std::uint32_t expected) {
  if (type == expected) return done();
  return in.malformed("value type " + std::to_string(type) + " where the format demands " +
                      std::to_string(expected));
}

// Reads the values we use, passes over the rest.
Status parse_value(SourceCursor& in, const std::string& key, std::uint32_t type,
                   GgufHeader& header) {
  if (key == "general.alignment") {
    TRY(expect_type(in, type, kUint32));
    header.alignment = TRY(in.u32("the alignment"));
    if (!std::has_single_bit(header.alignment)) {
      return in.malformed("alignment " + std::to_string(header.alignment) +
                          " is not a power of two");
    }
    if (header.alignment > kMaxAlignment) return in.beyond_limit("alignment above 1 MiB");
    return done();
  }
  if (key == "general.architecture") {
    TRY(expect_type(in, type, kString));
    header.architecture = TRY(parse_name(in, kMaxArchitectureSize, "the architecture"));
    return done();
  }
  if (key == "general.file_type" && type == kUint32) {
    header.file_type = TRY(in.u32("the file type"));
    return done();
  }
  return skip_value(in, type);
}

Status parse_keys(SourceCursor& in, GgufHeader& header) {
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < header.key_count; ++i) {
    const std::uint64_t begin = in.position();
    std::string key = TRY(parse_name(in, kMaxKeySize, "a key"));
    const std::uint32_t type = TRY(in.u32("a value type"));
    TRY(parse_value(in, key, type, header).within("key " + shown(key)));
    const GgufRange range{begin, in.position()};
    if (key == "general.alignment") header.alignment_key = range;
    if (key == "general.architecture") header.architecture_key = range;
    keys.push_back(std::move(key));
  }
  header.keys_end = in.position();
  if (const auto twin = find_duplicate({keys.begin(), keys.end()})) {
    return in.malformed("duplicate key " + shown(*twin));
  }
  return done();
}

Result<std::uint64_t> tensor_size(const SourceCursor& in, const GgufTensor& tensor) {
  const GgmlType* type = find_ggml_type(tensor.type);
  if (type == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 std::string(kWhat) + ": unknown tensor type " + std::to_string(tensor.type));
  }
  std::optional<std::uint64_t> count = 1;
  for (const std::uint64_t dimension : tensor.dimensions) {
    count = checked_multiply(*count, dimension);
    if (!count) return in.malformed("the number of elements exceeds 64 bits");
  }
  const std::uint64_t row = tensor.dimensions.empty() ? 1 : tensor.dimensions[0];
  if (row % type->block_count != 0) {
    return in.malformed("rows of " + std::to_string(row) + " elements do not fill blocks of " +
                        std::to_string(type->block_count));
  }
  const auto size = checked_multiply(*count / type->block_count, type->block_size);
  if (!size) return in.malformed("the size exceeds 64 bits");
  return *size;
}

Status parse_tensor(SourceCursor& in, GgufTensor& tensor) {
  const std::uint32_t dimension_count = TRY(in.u32("the number of dimensions"));
  if (dimension_count > kMaxDimensions) {
    return in.malformed(std::to_string(dimension_count) + " dimensions, allowed are 4");
  }
  for (std::uint32_t i = 0; i < dimension_count; ++i) {
    tensor.dimensions.push_back(TRY(in.u64("a dimension")));
  }
  tensor.type = TRY(in.u32("a tensor type"));
  tensor.offset = TRY(in.u64("a tensor offset"));
  tensor.size = TRY(tensor_size(in, tensor));
  return done();
}

Status parse_tensors(SourceCursor& in, std::uint64_t count, GgufHeader& header) {
  TRY(in.require(count, kMinTensorSize, "the tensor entries"));
  std::vector<std::string_view> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufTensor& tensor = header.tensors.emplace_back();
    tensor.name = TRY(parse_name(in, kMaxNameSize, "a tensor name"));
    TRY(parse_tensor(in, tensor).within("tensor " + shown(tensor.name)));
  }
  for (const GgufTensor& tensor : header.tensors) names.emplace_back(tensor.name);
  if (const auto twin = find_duplicate(std::move(names))) {
    return in.malformed("duplicate tensor " + shown(*twin));
  }
  return done();
}

// Tensors lie aligned one behind the other in the `data` bytes of the file.
Status check_layout(const GgufHeader& header, std::uint64_t data) {
  std::uint64_t at = 0;
  for (const GgufTensor& tensor : header.tensors) {
    const auto end = checked_add(tensor.offset, tensor.size);
    std::string why;
    if (tensor.offset % header.alignment != 0) {
      why = "offset " + std::to_string(tensor.offset) + " is not a multiple of the alignment " +
            std::to_string(header.alignment);
    } else if (tensor.offset < at) {
      why = "offset " + std::to_string(tensor.offset) +
            " lies before the end of its predecessor, " + std::to_string(at);
    } else if (!end || *end > data) {
      why = std::to_string(tensor.size) + " bytes at offset " + std::to_string(tensor.offset) +
            " run past the end of " + std::to_string(data) + " bytes of data";
    }
    if (!why.empty()) {
      return Error(ErrorCode::kMalformed,
                   std::string(kWhat) + ": tensor " + shown(tensor.name) + ": " + why);
    }
    at = *end;
  }
  return done();
}

Status parse_start(SourceCursor& in) {
  if (TRY(in.u32("the magic number")) != kMagic) return in.malformed("does not begin with 'GGUF'");
  const std::uint32_t version = TRY(in.u32("the version"));
  if (version == kVersion) return done();
  if (version != 0 && (version & 0xffffU) == 0) {
    return Error(ErrorCode::kUnsupported, "big-endian GGUF")
        .with_hint("convert it with gguf_convert_endian.py of llama.cpp");
  }
  return Error(ErrorCode::kUnsupported,
               "GGUF version " + std::to_string(version) + ", this program reads version 3")
      .with_hint("write the file again with a current llama.cpp");
}

template <typename Integer>
void append_integer(ByteVector& out, Integer value) {
  for (unsigned i = 0; i < sizeof value; ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

}  // namespace

Result<GgufHeader> parse_gguf(const BlockSource& source) {
  SourceCursor in(source, kMaxHeaderSize, kWhat);
  TRY(parse_start(in));
  GgufHeader header;
  const std::uint64_t tensor_count = TRY(in.u64("the number of tensors"));
  header.key_count = TRY(in.u64("the number of keys"));
  if (tensor_count > kMaxTensors) {
    return in.beyond_limit(std::to_string(tensor_count) + " tensors, allowed are 2^20");
  }
  if (header.key_count > kMaxKeys) {
    return in.beyond_limit(std::to_string(header.key_count) + " keys, allowed are 2^16");
  }
  TRY(in.require(header.key_count, kMinKeySize, "the keys"));
  TRY(parse_keys(in, header));
  TRY(parse_tensors(in, tensor_count, header));
  header.data_offset = (in.position() + header.alignment - 1) & ~(header.alignment - 1);
  const std::uint64_t data =
      header.data_offset < source.size() ? source.size() - header.data_offset : 0;
  TRY(check_layout(header, data));
  return header;
}

ByteVector serialize_gguf_start(std::uint64_t tensor_count, std::uint64_t key_count) {
  ByteVector out;
  append_integer(out, kMagic);
  append_integer(out, kVersion);
  append_integer(out, tensor_count);
  append_integer(out, key_count);
  return out;
}

ByteVector serialize_gguf_tensors(const std::vector<GgufTensor>& tensors) {
  ByteVector out;
  for (const GgufTensor& tensor : tensors) {
    append_integer(out, std::uint64_t{tensor.name.size()});
    out.insert(out.end(), tensor.name.begin(), tensor.name.end());
    append_integer(out, static_cast<std::uint32_t>(tensor.dimensions.size()));
    for (const std::uint64_t dimension : tensor.dimensions) append_integer(out, dimension);
    append_integer(out, tensor.type);
    append_integer(out, tensor.offset);
  }
  return out;
}

}  // namespace sealpack::models
