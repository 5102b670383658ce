// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "formats/base/byte_reader.h"
#include "formats/models/json_reader.h"
#include "formats/models/names.h"
#include "formats/models/safetensors.h"

namespace sealpack::models {
namespace {

constexpr std::string_view kWhat = "safetensors header";
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::uint64_t kMaxHeaderSize = 100'000'000;  // MAX_HEADER_SIZE of the reference
constexpr std::size_t kMaxTensors = std::size_t{1} << 20U;
constexpr std::size_t kMaxMetadata = std::size_t{1} << 16U;
constexpr std::size_t kMaxDimensions = 64;

struct Dtype {
  std::string_view name;
  unsigned bits;
};
constexpr Dtype kDtypes[] = {
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},
    {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},        {"BF16", 16},
    {"I32", 32},    {"U32", 32},    {"F32", 32},    {"C64", 64},        {"F64", 64},
    {"I64", 64},    {"U64", 64},
};

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, std::string(kWhat) + ": " + why};
}
Error beyond_limit(const std::string& why) {
  return {ErrorCode::kLimit, std::string(kWhat) + ": " + why};
}

// n, from the first 8 bytes.
Result<std::uint64_t> parse_length(Bytes prefix, std::uint64_t file_size) {
  ByteReader in(prefix, kWhat);
  const std::uint64_t size = TRY(in.u64("the header length"));
  if (size > kMaxHeaderSize) {
    return beyond_limit("length " + std::to_string(size) + " exceeds 100 MB");
  }
  if (file_size < 8 || size > file_size - 8) {
    return malformed("length " + std::to_string(size) + " exceeds the file of " +
                     std::to_string(file_size) + " bytes");
  }
  return size;
}

// Bytes of a tensor; sub-byte types must fill whole bytes.
Result<std::uint64_t> data_size(const SafetensorsEntry& entry) {
  const unsigned bits = safetensors_bits(entry.dtype);
  if (bits == 0) {
    return Error(ErrorCode::kUnsupported,
                 std::string(kWhat) + ": unknown dtype " + shown(entry.dtype));
  }
  std::optional<std::uint64_t> count = 1;
  for (const std::uint64_t dimension : entry.shape) {
    count = checked_multiply(*count, dimension);
    if (!count) return malformed("the number of elements exceeds 64 bits");
  }
  const auto total_bits = checked_multiply(*count, bits);
  if (!total_bits) return malformed("the number of bits exceeds 64 bits");
  if (*total_bits % 8 != 0) {
    return malformed(std::to_string(*total_bits) + " bits do not fill whole bytes");
  }
  return *total_bits / 8;
}

Result<std::vector<std::uint64_t>> parse_shape(JsonReader& in) {
  std::vector<std::uint64_t> shape;
  TRY(in.begin_array("shape"));
  while (TRY(in.next_element())) {
    if (shape.size() == kMaxDimensions) return beyond_limit("more than 64 dimensions");
    shape.push_back(TRY(in.integer("a dimension")));
  }
  return shape;
}

Status parse_offsets(JsonReader& in, SafetensorsEntry& entry) {
  TRY(in.begin_array("data_offsets"));
  for (std::uint64_t* offset : {&entry.begin, &entry.end}) {
    if (!TRY(in.next_element())) return in.malformed("data_offsets needs two numbers");
    *offset = TRY(in.integer("a data offset"));
  }
  if (TRY(in.next_element())) return in.malformed("data_offsets has more than two numbers");
  if (entry.end < entry.begin) return in.malformed("data_offsets end before they begin");
  return done();
}

Status parse_entry(JsonReader& in, SafetensorsEntry& entry) {
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
  const auto once = [&](bool& seen, const char* field) -> Status {
    if (seen) return in.malformed(std::string("duplicate field ") + field);
    seen = true;
    return done();
  };
  TRY(in.begin_object("a tensor"));
  while (const auto key = TRY(in.next_key())) {
    if (*key == "dtype") {
      TRY(once(has_dtype, "dtype"));
      entry.dtype = TRY(in.string("dtype"));
    } else if (*key == "shape") {
      TRY(once(has_shape, "shape"));
      entry.shape = TRY(parse_shape(in));
    } else if (*key == "data_offsets") {
      TRY(once(has_offsets, "data_offsets"));
      TRY(parse_offsets(in, entry));
    } else {
      // The reference ignores it; we would lose it when dividing the file, so we say so.
      return in.malformed("unknown field " + shown(*key));
    }
  }
  if (!has_dtype || !has_shape || !has_offsets) {
    return in.malformed("dtype, shape or data_offsets is missing");
  }
  const std::uint64_t size = TRY(data_size(entry));
  if (size != entry.end - entry.begin) {
    return in.malformed("dtype and shape need " + std::to_string(size) +
                        " bytes, data_offsets give " + std::to_string(entry.end - entry.begin));
  }
  return done();
}

Status parse_metadata(JsonReader& in, SafetensorsHeader& header) {
  TRY(in.begin_object("__metadata__"));
  while (auto key = TRY(in.next_key())) {
    if (header.metadata.size() == kMaxMetadata) {
      return beyond_limit("more than 2^16 keys in __metadata__");
    }
    std::string value = TRY(in.string("a value of __metadata__"));
    header.metadata.emplace_back(std::move(*key), std::move(value));
  }
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : header.metadata) keys.emplace_back(key);
  if (const auto twin = find_duplicate(std::move(keys))) {
    return malformed("duplicate key " + shown(*twin) + " in __metadata__");
  }
  return done();
}

Status parse_members(JsonReader& in, SafetensorsHeader& header) {
  bool has_metadata = false;
  TRY(in.begin_object("an object"));
  while (auto key = TRY(in.next_key())) {
    if (*key == kMetadataKey) {
      if (has_metadata) return in.malformed("duplicate key '__metadata__'");
      has_metadata = true;
      TRY(parse_metadata(in, header));
      continue;
    }
    if (header.entries.size() == kMaxTensors) return beyond_limit("more than 2^20 tensors");
    // C programs would see the name end there and take one tensor for another.
    if (key->find('\0') != std::string::npos) {
      return in.malformed("NUL in the tensor name " + shown(*key));
    }
    SafetensorsEntry& entry = header.entries.emplace_back();
    entry.name = std::move(*key);
    TRY(parse_entry(in, entry).within("tensor " + shown(entry.name)));
  }
  return done();
}

Status check_names(const std::vector<SafetensorsEntry>& entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) names.emplace_back(entry.name);
  if (const auto twin = find_duplicate(std::move(names))) {
    return malformed("duplicate tensor " + shown(*twin));
  }
  return done();
}

// Entries are sorted by begin. No byte of the data is without an owner or has two.
Status check_tiling(const std::vector<SafetensorsEntry>& entries, std::uint64_t data) {
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != at) {
      return malformed("tensor " + shown(entry.name) + " begins at " + std::to_string(entry.begin) +
                       ", " + (entry.begin < at ? "inside" : "behind a hole after") +
                       " the one that ends at " + std::to_string(at));
    }
    at = entry.end;
  }
  if (at != data) {
    return malformed("tensors take " + std::to_string(at) + " bytes, the file has " +
                     std::to_string(data) + " bytes of data");
  }
  return done();
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kPlain = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kLetter = "\"\\bfnrt";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (const std::size_t i = kPlain.find(c); i != std::string_view::npos) {
      out += '\\', out += kLetter[i];
    } else if (byte < 0x20) {
      out += "\\u00" + to_hex(Bytes(&byte, 1));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_entry(std::string& out, const SafetensorsEntry& entry, std::uint64_t begin,
                  std::uint64_t end) {
  append_json_string(out, entry.name);
  out += ":{\"dtype\":";
  append_json_string(out, entry.dtype);
  out += ",\"shape\":[";
  const char* separator = "";
  for (const std::uint64_t dimension : entry.shape) {
    out += separator + std::to_string(dimension);
    separator = ",";
  }
  out += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

void append_metadata(std::string& out,
                     const std::vector<std::pair<std::string, std::string>>& metadata) {
  out += "\"__metadata__\":{";
  const char* separator = "";
  for (const auto& [key, value] : metadata) {
    out += separator;
    append_json_string(out, key);
    out += ':';
    append_json_string(out, value);
    separator = ",";
  }
  out += '}';
}

}  // namespace

unsigned safetensors_bits(std::string_view dtype) {
  for (const Dtype& known : kDtypes) {
    if (known.name == dtype) return known.bits;
  }
  return 0;
}

Result<SafetensorsHeader> parse_safetensors(Bytes prefix, std::uint64_t file_size) {
  SafetensorsHeader header;
  header.size = TRY(parse_length(prefix, file_size));
  if (prefix.size() < header.data_offset()) {
    return malformed("ends inside its " + std::to_string(header.size) + " bytes");
  }
  const Bytes text = prefix.subspan(8, static_cast<std::size_t>(header.size));
  // Space before the brace would be legal JSON; readers disagree on it, so the format forbids it.
  if (text.empty() || text[0] != '{') return malformed("does not begin with '{'");
  JsonReader in(text, kWhat);
  TRY(parse_members(in, header));
  TRY(in.finish(" "));
  TRY(check_names(header.entries));
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  TRY(check_tiling(header.entries, file_size - header.data_offset()));
  return header;
}

Result<SafetensorsHeader> read_safetensors_header(const BlockSource& source) {
  const std::uint64_t file_size = source.size();
  if (file_size < 8) return malformed("a file of " + std::to_string(file_size) + " bytes has none");
  ByteVector prefix(8);
  TRY(source.read_at(0, prefix));
  const std::uint64_t size = TRY(parse_length(prefix, file_size));
  prefix.resize(static_cast<std::size_t>(8 + size));
  TRY(source.read_at(8, MutableBytes(prefix).subspan(8)));
  return parse_safetensors(prefix, file_size);
}

ByteVector serialize_safetensors_header(
    const std::vector<SafetensorsEntry>& entries,
    const std::vector<std::pair<std::string, std::string>>& metadata) {
  std::string text = "{";
  const char* separator = "";
  if (!metadata.empty()) {
    append_metadata(text, metadata);
    separator = ",";
  }
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto size = data_size(entry);
    const auto end = size.ok() ? checked_add(at, *size) : std::nullopt;
    if (!end) die("serialize_safetensors_header: an entry that no parser accepts");
    text += separator;
    append_entry(text, entry, at, *end);
    separator = ",";
    at = *end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  ByteVector out;
  out.reserve(8 + text.size());
  for (unsigned i = 0; i < 8; ++i) {
    out.push_back(static_cast<std::uint8_t>(std::uint64_t{text.size()} >> (8 * i)));
  }
  out.insert(out.end(), text.begin(), text.end());
  return out;
}

}  // namespace sealpack::models
