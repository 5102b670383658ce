// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/load_tensor.h"

#include <algorithm>
#include <charconv>

#include "formats/base/path_rules.h"

namespace sealpack::nn {
namespace {

namespace onnx = models::onnx;

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}

// The field of TensorProto for elements that are not raw.
std::uint32_t list_field(DType type) {
  switch (type) {
    case DType::kF32:
      return onnx::tensor::kFloatData;
    case DType::kF64:
      return onnx::tensor::kDoubleData;
    case DType::kI64:
      return onnx::tensor::kInt64Data;
    case DType::kU32:
    case DType::kU64:
      return onnx::tensor::kUint64Data;
    default:
      return onnx::tensor::kInt32Data;
  }
}

// The one field with data. Two of them would let two readers see two tensors.
Result<const onnx::Field*> find_data(const onnx::Message& message) {
  const onnx::Field* found = nullptr;
  for (const std::uint32_t number :
       {onnx::tensor::kFloatData, onnx::tensor::kInt32Data, onnx::tensor::kStringData,
        onnx::tensor::kInt64Data, onnx::tensor::kRawData, onnx::tensor::kDoubleData,
        onnx::tensor::kUint64Data, onnx::tensor::kExternalData}) {
    const onnx::Field* field = message.find(number);
    if (field == nullptr) continue;
    // Some exporters write empty lists of every kind.
    const auto* list = std::get_if<onnx::ElementList>(&field->value);
    if (list != nullptr && list->count == 0) continue;
    if (found != nullptr) return malformed("a tensor with data in two fields");
    found = field;
  }
  return found;
}

Result<Shape> read_shape(const BlockSource& model, const onnx::ElementList* dims) {
  if (dims == nullptr) return Shape{};
  std::vector<std::int64_t> values;
  for (const std::uint64_t dim : TRY(onnx::read_integers(model, *dims, kMaxRank))) {
    values.push_back(static_cast<std::int64_t>(dim));
  }
  return Shape::make(values);
}

// Least and greatest element of a type that int32_data holds, for what is narrower than 32 bits.
std::pair<std::int64_t, std::int64_t> range_of(DType type) {
  switch (type) {
    case DType::kBool:
      return {0, 1};
    case DType::kI8:
      return {INT8_MIN, INT8_MAX};
    case DType::kU8:
      return {0, UINT8_MAX};
    case DType::kI16:
      return {INT16_MIN, INT16_MAX};
    case DType::kI32:
      return {INT32_MIN, INT32_MAX};
    default:  // 16 unsigned bits: uint16, float16, bfloat16
      return {0, UINT16_MAX};
  }
}

// A varint as the element it stands for.
Result<std::uint64_t> to_element(DType type, std::uint64_t varint) {
  if (type == DType::kI64 || type == DType::kU64) return varint;
  if (type == DType::kU32) {
    if (varint <= UINT32_MAX) return varint;
    return malformed("an element over 32 bits");
  }
  const auto value = static_cast<std::int64_t>(static_cast<std::int32_t>(varint));  // as protobuf
  const auto [least, greatest] = range_of(type);
  if (value >= least && value <= greatest) return static_cast<std::uint64_t>(value);
  return malformed("an element of " + std::to_string(value) + " in a tensor of " + to_string(type));
}

Status check_bools(const StoredTensor& tensor) {
  if (tensor.type.dtype != DType::kBool || !tensor.is_inline) return done();
  for (const std::uint8_t byte : tensor.bytes) {
    if (byte > 1) return malformed("a bool of " + std::to_string(byte));
  }
  return done();
}

Result<std::uint64_t> parse_decimal(std::string_view text, const char* what) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size() ||
      (text[0] == '0' && text.size() > 1)) {
    return malformed("external data with " + std::string(what) + " " + shown(text));
  }
  return value;
}

struct ExternalKeys {
  std::optional<std::string_view> location, offset, length, checksum;
};

Result<ExternalKeys> read_keys(const std::vector<const onnx::Message*>& entries) {
  ExternalKeys keys;
  for (const onnx::Message* message : entries) {
    const std::string_view key = message->text(onnx::entry::kKey);
    std::optional<std::string_view>* slot = key == "location"   ? &keys.location
                                            : key == "offset"   ? &keys.offset
                                            : key == "length"   ? &keys.length
                                            : key == "checksum" ? &keys.checksum
                                                                : nullptr;
    if (slot == nullptr) {
      return Error(ErrorCode::kUnsupported, "external data with the key " + shown(key));
    }
    if (slot->has_value()) return malformed("external data with two keys " + shown(key));
    *slot = message->text(onnx::entry::kValue);
  }
  if (!keys.location) return malformed("external data without a location");
  return keys;
}

}  // namespace

Status TensorLoader::reserve(std::uint64_t size) {
  if (size > kMaxDecodedSize - decoded_) {
    return Error(ErrorCode::kLimit, "over " + format_size(kMaxDecodedSize) +
                                        " of elements that are not stored as " + "plain bytes")
        .with_hint("save the model again with raw_data");
  }
  decoded_ += size;
  return done();
}

Result<ByteVector> TensorLoader::read_fixed(const onnx::ElementList& list, unsigned width) {
  const auto size = checked_multiply(list.count, width);
  if (!size) return malformed("a list with more bytes than 64 bits count");
  TRY(reserve(*size));
  ByteVector bytes;
  bytes.reserve(static_cast<std::size_t>(*size));
  const std::uint64_t end = list.records.offset + list.records.size;
  onnx::WireReader reader(model_, list.records);
  while (reader.position() < end) {
    const onnx::WireReader::Tag tag = TRY(reader.tag());
    const std::uint64_t length =
        tag.type == onnx::WireType::kSized ? TRY(reader.size(end)) : std::uint64_t{width};
    // The source may have changed since the list was measured.
    if (length > *size - bytes.size() || length % width != 0) {
      return reader.malformed("more elements than before");
    }
    for (std::uint64_t at = 0; at < length; at += width) {
      onnx::append_little_endian(bytes, TRY(reader.fixed(width)), width);
    }
  }
  if (bytes.size() != *size) return reader.malformed("fewer elements than before");
  return bytes;
}

Status TensorLoader::place_range(std::uint64_t offset, StoredTensor& tensor) {
  const std::uint64_t size = tensor.type.size();
  tensor.is_inline = size <= kInlineSize;
  if (!tensor.is_inline) {
    tensor.offset = offset;
    return done();
  }
  tensor.bytes.resize(static_cast<std::size_t>(size));
  return model_.read_at(offset, tensor.bytes);
}

Status TensorLoader::decode_integers(const onnx::ElementList& list, StoredTensor& tensor) {
  const auto width = static_cast<unsigned>(element_size(tensor.type.dtype));
  TRY(reserve(8 * list.count + tensor.type.size()));
  tensor.bytes.reserve(static_cast<std::size_t>(tensor.type.size()));
  for (const std::uint64_t varint : TRY(onnx::read_integers(model_, list, list.count))) {
    onnx::append_little_endian(tensor.bytes, TRY(to_element(tensor.type.dtype, varint)), width);
  }
  decoded_ -= 8 * list.count;  // the integers themselves are gone
  return done();
}

Status TensorLoader::place_list(const onnx::Field& field, StoredTensor& tensor) {
  const DType type = tensor.type.dtype;
  const char* name = onnx::find_rule(onnx::MessageType::kTensor, field.number)->name;
  if (field.number != list_field(type)) {
    return malformed(std::string("a tensor of ") + to_string(type) + " with data in " + name);
  }
  const auto& list = std::get<onnx::ElementList>(field.value);
  if (list.count != static_cast<std::uint64_t>(tensor.type.shape.element_count())) {
    return malformed("a tensor of shape " + to_string(tensor.type.shape) + " with " +
                     std::to_string(list.count) + " elements in " + name);
  }
  if (type != DType::kF32 && type != DType::kF64) return decode_integers(list, tensor);
  if (list.is_packed) return place_range(list.packed.offset, tensor);
  tensor.bytes = TRY(read_fixed(list, static_cast<unsigned>(element_size(type))));
  return done();
}

Result<std::uint32_t> TensorLoader::external_file(std::string_view location) {
  TRY(check_path(location).within("external data"));
  const auto known = std::ranges::find(external_files_, location);
  const auto index = static_cast<std::size_t>(known - external_files_.begin());
  if (known == external_files_.end()) {
    if (index == kMaxExternalFiles) {
      return Error(ErrorCode::kLimit,
                   "over " + std::to_string(kMaxExternalFiles) + " files of external data");
    }
    external_sizes_.push_back(TRY(external_size_(location)));
    external_files_.emplace_back(location);
  }
  return static_cast<std::uint32_t>(index);
}

Status TensorLoader::place_external(const onnx::Message& message, StoredTensor& tensor) {
  const ExternalKeys keys = TRY(read_keys(message.messages(onnx::tensor::kExternalData)));
  const std::uint64_t size = tensor.type.size();
  std::uint64_t offset = 0;
  if (keys.offset) offset = TRY(parse_decimal(*keys.offset, "offset"));
  if (keys.length && TRY(parse_decimal(*keys.length, "length")) != size) {
    return malformed("external data with length " + std::string(shown(*keys.length)) +
                     " for a tensor of " + std::to_string(size) + " bytes");
  }
  const std::uint32_t file = TRY(external_file(*keys.location));
  if (offset > external_sizes_[file] || size > external_sizes_[file] - offset) {
    return malformed("external data past the end of " + shown(*keys.location));
  }
  tensor.is_inline = size == 0;
  tensor.file = file + 1;
  tensor.offset = offset;
  return done();
}

Result<StoredTensor> TensorLoader::load(const onnx::Message& message) {
  StoredTensor tensor;
  tensor.type.dtype = TRY(to_dtype(message.integer(onnx::tensor::kDataType)));
  tensor.type.shape = TRY(read_shape(model_, message.elements(onnx::tensor::kDims)));
  const onnx::Field* field = TRY(find_data(message));
  const std::uint64_t location = message.integer(onnx::tensor::kDataLocation);
  if (location > 1) return malformed("data_location " + std::to_string(location));
  const bool is_external = field != nullptr && field->number == onnx::tensor::kExternalData;
  if ((location == 1) != is_external) {
    return malformed("data_location and external_data do not agree");
  }
  if (field == nullptr) {
    if (tensor.type.size() != 0) return malformed("a tensor without data");
  } else if (is_external) {
    TRY(place_external(message, tensor));
  } else if (const auto* raw = std::get_if<onnx::ByteRange>(&field->value)) {
    if (raw->size != tensor.type.size()) {
      return malformed("a tensor of " + std::string(to_string(tensor.type.dtype)) +
                       to_string(tensor.type.shape) + " with " + std::to_string(raw->size) +
                       " bytes of raw_data");
    }
    TRY(place_range(raw->offset, tensor));
  } else {
    TRY(place_list(*field, tensor));
  }
  TRY(check_bools(tensor));
  return tensor;
}

}  // namespace sealpack::nn
