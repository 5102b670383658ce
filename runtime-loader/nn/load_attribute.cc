// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/nn/load_attribute.h"

#include <bit>
#include <cstring>

namespace sealpack::nn {
namespace {

namespace onnx = models::onnx;

constexpr std::uint32_t kTypeField = 20;
constexpr std::uint32_t kReferenceField = 21;  // ref_attr_name

// AttributeProto.AttributeType with the field that holds the value.
struct Kind {
  std::uint64_t type;
  std::uint32_t field;
};
constexpr Kind kKinds[] = {
    {1, onnx::attribute::kF},       {2, onnx::attribute::kI},      {3, onnx::attribute::kS},
    {4, onnx::attribute::kT},       {6, onnx::attribute::kFloats}, {7, onnx::attribute::kInts},
    {8, onnx::attribute::kStrings},
};

Error malformed(const std::string& why) {
  return {ErrorCode::kMalformed, why};
}

// Whether a field holds the value, or part of it, and not its name, type or description.
bool holds_value(const onnx::Field& field) {
  const auto* list = std::get_if<onnx::ElementList>(&field.value);
  if (list != nullptr && list->count == 0) return false;
  const onnx::FieldRule* rule = onnx::find_rule(onnx::MessageType::kAttribute, field.number);
  return field.number != onnx::attribute::kName && field.number != kTypeField && !rule->descriptive;
}

// The field that must hold the value. Old exporters leave the type out; then the one that is there.
Result<std::uint32_t> value_field(const onnx::Message& message) {
  const std::uint64_t type = message.integer(kTypeField);
  std::uint32_t found = 0;
  for (const onnx::Field& field : message.fields) {
    if (!holds_value(field)) continue;
    if (field.number == kReferenceField) return malformed("it refers to that of a function");
    if (found != 0) return malformed("it holds two values");
    found = field.number;
  }
  for (const Kind& kind : kKinds) {
    if (type == 0 ? kind.field != found : kind.type != type) continue;
    if (found != 0 && found != kind.field) return malformed("its type and its value do not agree");
    return kind.field;
  }
  return Error(ErrorCode::kUnsupported, "it is of attribute type " + std::to_string(type));
}

Result<std::string> read_text(TensorLoader& loader, onnx::ByteRange range) {
  if (range.size > onnx::kMaxTextSize) {
    return Error(ErrorCode::kLimit, "a text of " + std::to_string(range.size) + " bytes");
  }
  TRY(loader.reserve(range.size));
  std::string text(static_cast<std::size_t>(range.size), '\0');
  TRY(loader.model().read_at(range.offset,
                             {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}));
  return text;
}

Result<std::vector<std::string>> read_texts(TensorLoader& loader, const onnx::ElementList& list) {
  TRY(loader.reserve(list.count * sizeof(std::string)));
  std::vector<std::string> texts;
  onnx::WireReader reader(loader.model(), list.records);
  const std::uint64_t end = list.records.offset + list.records.size;
  while (reader.position() < end) {
    TRY(reader.tag());
    const std::uint64_t size = TRY(reader.size(end));
    texts.push_back(TRY(read_text(loader, {reader.position(), size})));
    if (texts.size() > list.count) return reader.malformed("more elements than before");
    TRY(reader.skip(size));
  }
  return texts;
}

Result<std::vector<std::int64_t>> read_ints(TensorLoader& loader, const onnx::ElementList& list) {
  TRY(loader.reserve(2 * sizeof(std::int64_t) * list.count));
  const std::vector<std::uint64_t> bits =
      TRY(onnx::read_integers(loader.model(), list, list.count));
  std::vector<std::int64_t> values;
  values.reserve(bits.size());
  for (const std::uint64_t value : bits) values.push_back(static_cast<std::int64_t>(value));
  return values;
}

Result<std::vector<float>> read_floats(TensorLoader& loader, const onnx::ElementList& list) {
  const ByteVector bytes = TRY(loader.read_fixed(list, 4));
  std::vector<float> values(bytes.size() / 4);
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Status read_value(TensorLoader& loader, const onnx::Message& message, std::uint32_t number,
                  Attribute& attribute) {
  const onnx::Field* field = message.find(number);
  static const onnx::ElementList kNone{};
  const auto* list = field == nullptr ? &kNone : std::get_if<onnx::ElementList>(&field->value);
  switch (number) {
    case onnx::attribute::kF:
      attribute.value = field == nullptr
                            ? 0.0F
                            : std::bit_cast<float>(std::get<onnx::Fixed32>(field->value).bits);
      return done();
    case onnx::attribute::kI:
      attribute.value = static_cast<std::int64_t>(message.integer(number));
      return done();
    case onnx::attribute::kS:
      attribute.value = field == nullptr
                            ? std::string()
                            : TRY(read_text(loader, std::get<onnx::ByteRange>(field->value)));
      return done();
    case onnx::attribute::kT:
      if (field == nullptr) return malformed("it holds no tensor");
      attribute.value = TRY(loader.load(*message.message(number)));
      return done();
    case onnx::attribute::kFloats:
      attribute.value = TRY(read_floats(loader, *list));
      return done();
    case onnx::attribute::kInts:
      attribute.value = TRY(read_ints(loader, *list));
      return done();
    default:
      attribute.value = TRY(read_texts(loader, *list));
      return done();
  }
}

template <typename T>
StoredTensor list_tensor(DType dtype, std::span<const T> values, Shape shape) {
  StoredTensor tensor;
  tensor.type = {dtype, shape};
  tensor.bytes.resize(values.size_bytes());
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}

template <typename T>
Result<StoredTensor> vector_tensor(DType dtype, const std::vector<T>& values) {
  const std::int64_t dims[] = {static_cast<std::int64_t>(values.size())};
  return list_tensor<T>(dtype, values, TRY(Shape::make(dims)));
}

}  // namespace

bool holds_graph(const onnx::Message& attribute) {
  return attribute.find(onnx::attribute::kG) != nullptr ||
         attribute.find(onnx::attribute::kGraphs) != nullptr;
}

Result<Attribute> load_attribute(TensorLoader& loader, const onnx::Message& message) {
  Attribute attribute;
  attribute.name = message.text(onnx::attribute::kName);
  const auto read = [&]() -> Status {
    return read_value(loader, message, TRY(value_field(message)), attribute);
  };
  TRY(read().within("attribute " + shown(attribute.name)));
  return attribute;
}

Result<StoredTensor> constant_tensor(Node node) {
  if (!node.inputs.empty() || node.attributes.size() != 1) {
    return malformed("a Constant has no input and one attribute");
  }
  Attribute& attribute = node.attributes.front();
  if (auto* tensor = std::get_if<StoredTensor>(&attribute.value)) {
    if (attribute.name == "value") return std::move(*tensor);
  } else if (const auto* number = std::get_if<float>(&attribute.value)) {
    if (attribute.name == "value_float") return list_tensor<float>(DType::kF32, {number, 1}, {});
  } else if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) {
    if (attribute.name == "value_int") {
      return list_tensor<std::int64_t>(DType::kI64, {integer, 1}, {});
    }
  } else if (const auto* numbers = std::get_if<std::vector<float>>(&attribute.value)) {
    if (attribute.name == "value_floats") return vector_tensor(DType::kF32, *numbers);
  } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
    if (attribute.name == "value_ints") return vector_tensor(DType::kI64, *integers);
  }
  return Error(ErrorCode::kUnsupported, "a constant of attribute " + shown(attribute.name));
}

}  // namespace sealpack::nn
