// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_tensor.h"

#include "formats/models/onnx_external.h"
#include "formats/models/onnx_read.h"
#include "formats/models/safetensors.h"

namespace sealpack::models::onnx {
namespace {

constexpr std::uint64_t kMaxRank = 64;

struct ElementType {
  const char* dtype;
  unsigned bits;             // of one element, 0 for strings
  std::uint32_t data_field;  // of TensorProto, for data that is not raw
};

// By TensorProto.DataType, from 1.
constexpr ElementType kElementTypes[] = {
    {"F32", 32, tensor::kFloatData},
    {"U8", 8, tensor::kInt32Data},
    {"I8", 8, tensor::kInt32Data},
    {"U16", 16, tensor::kInt32Data},
    {"I16", 16, tensor::kInt32Data},
    {"I32", 32, tensor::kInt32Data},
    {"I64", 64, tensor::kInt64Data},
    {"STRING", 0, tensor::kStringData},
    {"BOOL", 8, tensor::kInt32Data},
    {"F16", 16, tensor::kInt32Data},
    {"F64", 64, tensor::kDoubleData},
    {"U32", 32, tensor::kUint64Data},
    {"U64", 64, tensor::kUint64Data},
    {"C64", 64, tensor::kFloatData},
    {"COMPLEX128", 128, tensor::kDoubleData},
    {"BF16", 16, tensor::kInt32Data},
    {"F8_E4M3", 8, tensor::kInt32Data},
    {"F8_E4M3FNUZ", 8, tensor::kInt32Data},
    {"F8_E5M2", 8, tensor::kInt32Data},
    {"F8_E5M2FNUZ", 8, tensor::kInt32Data},
    {"UINT4", 4, tensor::kInt32Data},
    {"INT4", 4, tensor::kInt32Data},
};

const ElementType& element_type(unsigned type) {
  return kElementTypes[type - 1];
}

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}

// Bytes of the elements, little-endian, 4-bit elements two a byte.
Result<std::uint64_t> raw_size(const TensorData& data) {
  const auto bits = checked_multiply(data.count, element_type(data.type).bits);
  if (!bits) return malformed("its size exceeds 64 bits");
  return *bits / 8 + (*bits % 8 != 0 ? 1 : 0);
}

// Entries that a typed field holds for the elements.
Result<std::uint64_t> typed_count(const TensorData& data) {
  const ElementType& type = element_type(data.type);
  if (type.bits == 4) return data.count / 2 + data.count % 2;
  const bool is_complex = type.dtype == std::string_view("C64") || type.bits == 128;
  const auto count = checked_multiply(data.count, is_complex ? 2 : 1);
  if (!count) return malformed("its size exceeds 64 bits");
  return *count;
}

// The one field with data. Two of them would let two readers see two tensors.
Result<const Field*> find_data(const Message& message) {
  const Field* found = nullptr;
  for (const std::uint32_t number :
       {tensor::kFloatData, tensor::kInt32Data, tensor::kStringData, tensor::kInt64Data,
        tensor::kRawData, tensor::kDoubleData, tensor::kUint64Data, tensor::kExternalData}) {
    const Field* field = message.find(number);
    if (field == nullptr) continue;
    // Some exporters write empty lists of every kind.
    const auto* list = std::get_if<ElementList>(&field->value);
    if (list != nullptr && list->count == 0) continue;
    if (found != nullptr) return malformed("a tensor with data in two fields");
    found = field;
  }
  return found;
}

Status place_typed(const Field& field, TensorData& data) {
  if (field.number != element_type(data.type).data_field) {
    return malformed("a " + std::string(element_type(data.type).dtype) + " tensor with data in " +
                     find_rule(MessageType::kTensor, field.number)->name);
  }
  const auto& list = std::get<ElementList>(field.value);
  const std::uint64_t expected = TRY(typed_count(data));
  if (list.count != expected) {
    return malformed("a tensor of shape " + shape_text(data.dims) + " with " +
                     std::to_string(list.count) + " elements");
  }
  data.place = TensorData::Typed{&list, find_rule(MessageType::kTensor, field.number)->kind};
  return done();
}

Status place_raw(const ModelFiles& files, ByteRange range, TensorData& data) {
  const std::uint64_t expected = TRY(raw_size(data));
  if (data.type == kTypeString || range.size != expected) {
    return malformed("a " + std::string(dtype_of(data)) + " tensor of shape " +
                     shape_text(data.dims) + " with " + std::to_string(range.size) +
                     " bytes of raw_data");
  }
  if (range.size != 0) {
    data.place = TensorData::Raw{{files.file, range.offset, range.size}, false};
  }
  return done();
}

Status place_external(const ModelFiles& files, const Message& message, TensorData& data) {
  if (data.type == kTypeString) return malformed("a tensor of strings in external data");
  const std::uint64_t expected = TRY(raw_size(data));
  const SourceRange range =
      TRY(find_external(files, message.messages(tensor::kExternalData), expected));
  data.place = TensorData::Raw{range, true};
  return done();
}

}  // namespace

std::string shape_text(std::span<const std::uint64_t> dims) {
  std::string text = "[";
  for (const std::uint64_t dim : dims) {
    if (text.size() > 1) text += ',';
    text += std::to_string(dim);
  }
  return text + "]";
}

Status read_dims(const ModelFiles& files, const ElementList* dims, TensorData& data) {
  data.dims.clear();
  data.count = 1;
  if (dims != nullptr) data.dims = TRY(read_integers(files.source(), *dims, kMaxRank));
  for (const std::uint64_t dim : data.dims) {
    if (dim > std::uint64_t{INT64_MAX}) return malformed("a tensor with a negative dimension");
    const auto count = checked_multiply(data.count, dim);
    if (!count) return malformed("a tensor with more elements than 64 bits count");
    data.count = *count;
  }
  return done();
}

Result<TensorData> read_tensor(const ModelFiles& files, const Message& message) {
  TensorData data;
  const std::uint64_t type = message.integer(tensor::kDataType);
  if (type == 0) return malformed("a tensor without an element type");
  if (type > std::size(kElementTypes)) {
    return Error(ErrorCode::kUnsupported,
                 "element type " + std::to_string(type) + " is not part of ONNX IR version 10");
  }
  data.message = &message;
  data.type = static_cast<unsigned>(type);
  TRY(read_dims(files, message.elements(tensor::kDims), data));
  const Field* field = TRY(find_data(message));
  const std::uint64_t location = message.integer(tensor::kDataLocation);
  if (location > 1) return malformed("data_location " + std::to_string(location));
  if ((location == 1) != (field != nullptr && field->number == tensor::kExternalData)) {
    return malformed("data_location and external_data do not agree");
  }
  if (field == nullptr) {
    if (data.count != 0) return malformed("a tensor without data");
  } else if (field->number == tensor::kExternalData) {
    TRY(place_external(files, message, data));
  } else if (field->number == tensor::kRawData) {
    TRY(place_raw(files, std::get<ByteRange>(field->value), data));
  } else {
    TRY(place_typed(*field, data));
  }
  return data;
}

const char* dtype_name(std::uint64_t type) {
  return type == 0 || type > std::size(kElementTypes) ? nullptr : kElementTypes[type - 1].dtype;
}

const char* dtype_of(const TensorData& data) {
  return element_type(data.type).dtype;
}

std::uint64_t stored_size(const TensorData& data) {
  if (const auto* raw = std::get_if<TensorData::Raw>(&data.place)) return raw->range.size;
  if (const auto* typed = std::get_if<TensorData::Typed>(&data.place)) {
    return typed->elements->records.size;
  }
  if (const auto* scalar = std::get_if<TensorData::Scalar>(&data.place)) {
    return data.type == kTypeFloat ? 4 : varint_size(scalar->bits);
  }
  return 0;
}

const SourceRange* external_range(const TensorData& data) {
  const auto* raw = std::get_if<TensorData::Raw>(&data.place);
  return raw != nullptr && raw->external ? &raw->range : nullptr;
}

Result<SafetensorsForm> safetensors_form(const TensorData& data) {
  SafetensorsForm form;
  if (data.type == kTypeString) {
    // Each size prefix takes 4 bytes where the protobuf record had a tag and a varint.
    if (const auto* raw = std::get_if<TensorData::Raw>(&data.place)) {
      form.size = 4 + raw->range.size;
    } else if (const auto* typed = std::get_if<TensorData::Typed>(&data.place)) {
      form.size = typed->elements->payload_size + 4 * typed->elements->count;
    }
  } else {
    form.size = TRY(raw_size(data));
  }
  form.is_native = safetensors_bits(dtype_of(data)) != 0 && data.type != kTypeString &&
                   element_type(data.type).bits >= 8;
  form.dtype = form.is_native ? dtype_of(data) : "U8";
  form.shape = form.is_native ? data.dims : std::vector<std::uint64_t>{form.size};
  return form;
}

}  // namespace sealpack::models::onnx
