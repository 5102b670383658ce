// SPDX-License-Identifier: Apache-2.0
#include "formats/models/onnx_schema.h"

namespace sealpack::models::onnx {
namespace {

using enum FieldKind;
using Type = MessageType;

constexpr FieldRule integer(std::uint32_t number, const char* name) {
  return {name, number, kInteger};
}
constexpr FieldRule text(std::uint32_t number, const char* name) {
  return {name, number, kText};
}
constexpr FieldRule texts(std::uint32_t number, const char* name) {
  return {.name = name, .number = number, .kind = kText, .repeated = true};
}
constexpr FieldRule bytes(std::uint32_t number, const char* name) {
  return {name, number, kBytes};
}
constexpr FieldRule list(std::uint32_t number, const char* name, FieldKind kind) {
  return {name, number, kind};
}
constexpr FieldRule one(std::uint32_t number, const char* name, Type type) {
  return {name, number, kMessage, type, false};
}
constexpr FieldRule many(std::uint32_t number, const char* name, Type type) {
  return {name, number, kMessage, type, true};
}
constexpr FieldRule descriptive(FieldRule rule) {
  rule.descriptive = true;
  return rule;
}
constexpr FieldRule doc_string(std::uint32_t number) {
  return descriptive(bytes(number, "doc_string"));
}
constexpr FieldRule metadata_props(std::uint32_t number) {
  return descriptive(many(number, "metadata_props", Type::kEntry));
}

constexpr FieldRule kModelRules[] = {
    integer(1, "ir_version"),
    descriptive(text(2, "producer_name")),
    descriptive(text(3, "producer_version")),
    descriptive(text(4, "domain")),
    integer(5, "model_version"),
    doc_string(6),
    one(7, "graph", Type::kGraph),
    many(8, "opset_import", Type::kOperatorSet),
    metadata_props(14),
    many(20, "training_info", Type::kTraining),
    many(25, "functions", Type::kFunction),
};
constexpr FieldRule kOperatorSetRules[] = {text(1, "domain"), integer(2, "version")};
constexpr FieldRule kEntryRules[] = {text(1, "key"), text(2, "value")};
constexpr FieldRule kTrainingRules[] = {
    one(1, "initialization", Type::kGraph),
    one(2, "algorithm", Type::kGraph),
    many(3, "initialization_binding", Type::kEntry),
    many(4, "update_binding", Type::kEntry),
};
constexpr FieldRule kFunctionRules[] = {
    text(1, "name"),
    texts(4, "input"),
    texts(5, "output"),
    texts(6, "attribute"),
    many(7, "node", Type::kNode),
    doc_string(8),
    many(9, "opset_import", Type::kOperatorSet),
    text(10, "domain"),
    many(11, "attribute_proto", Type::kAttribute),
    many(12, "value_info", Type::kValueInfo),
    text(13, "overload"),
    metadata_props(14),
};
constexpr FieldRule kGraphRules[] = {
    many(1, "node", Type::kNode),
    text(2, "name"),
    many(5, "initializer", Type::kTensor),
    doc_string(10),
    many(11, "input", Type::kValueInfo),
    many(12, "output", Type::kValueInfo),
    many(13, "value_info", Type::kValueInfo),
    many(14, "quantization_annotation", Type::kAnnotation),
    many(15, "sparse_initializer", Type::kSparseTensor),
    metadata_props(16),
};
constexpr FieldRule kNodeRules[] = {
    texts(1, "input"),
    texts(2, "output"),
    text(3, "name"),
    text(4, "op_type"),
    many(5, "attribute", Type::kAttribute),
    doc_string(6),
    text(7, "domain"),
    text(8, "overload"),
    metadata_props(9),
};
constexpr FieldRule kAttributeRules[] = {
    text(1, "name"),
    {"f", 2, kFloat},
    integer(3, "i"),
    bytes(4, "s"),
    one(5, "t", Type::kTensor),
    one(6, "g", Type::kGraph),
    list(7, "floats", kFloats),
    list(8, "ints", kIntegers),
    list(9, "strings", kByteLists),
    many(10, "tensors", Type::kTensor),
    many(11, "graphs", Type::kGraph),
    doc_string(13),
    one(14, "tp", Type::kType),
    many(15, "type_protos", Type::kType),
    integer(20, "type"),
    text(21, "ref_attr_name"),
    one(22, "sparse_tensor", Type::kSparseTensor),
    many(23, "sparse_tensors", Type::kSparseTensor),
};
constexpr FieldRule kTensorRules[] = {
    list(1, "dims", kIntegers),
    integer(2, "data_type"),
    list(4, "float_data", kFloats),
    list(5, "int32_data", kIntegers),
    list(6, "string_data", kByteLists),
    list(7, "int64_data", kIntegers),
    text(8, "name"),
    bytes(9, "raw_data"),
    list(10, "double_data", kDoubles),
    list(11, "uint64_data", kIntegers),
    doc_string(12),
    many(13, "external_data", Type::kEntry),
    integer(14, "data_location"),
    metadata_props(16),
};
constexpr FieldRule kSparseTensorRules[] = {
    one(1, "values", Type::kTensor),
    one(2, "indices", Type::kTensor),
    list(3, "dims", kIntegers),
};
constexpr FieldRule kValueInfoRules[] = {
    text(1, "name"),
    one(2, "type", Type::kType),
    doc_string(3),
    metadata_props(4),
};
constexpr FieldRule kTypeRules[] = {
    one(1, "tensor_type", Type::kTensorType),     one(4, "sequence_type", Type::kSequenceType),
    one(5, "map_type", Type::kMapType),           text(6, "denotation"),
    one(7, "opaque_type", Type::kOpaqueType),     one(8, "sparse_tensor_type", Type::kTensorType),
    one(9, "optional_type", Type::kOptionalType),
};
constexpr FieldRule kTensorTypeRules[] = {
    integer(1, "elem_type"),
    one(2, "shape", Type::kShape),
};
constexpr FieldRule kElementTypeRules[] = {one(1, "elem_type", Type::kType)};
constexpr FieldRule kMapTypeRules[] = {
    integer(1, "key_type"),
    one(2, "value_type", Type::kType),
};
constexpr FieldRule kOpaqueTypeRules[] = {text(1, "domain"), text(2, "name")};
constexpr FieldRule kShapeRules[] = {many(1, "dim", Type::kDimension)};
constexpr FieldRule kDimensionRules[] = {
    integer(1, "dim_value"),
    text(2, "dim_param"),
    text(3, "denotation"),
};
constexpr FieldRule kAnnotationRules[] = {
    text(1, "tensor_name"),
    many(2, "quant_parameter_tensor_names", Type::kEntry),
};

struct MessageRule {
  const char* name;
  std::span<const FieldRule> fields;
};

// In the order of MessageType.
constexpr MessageRule kMessages[] = {
    {"ModelProto", kModelRules},
    {"OperatorSetIdProto", kOperatorSetRules},
    {"StringStringEntryProto", kEntryRules},
    {"TrainingInfoProto", kTrainingRules},
    {"FunctionProto", kFunctionRules},
    {"GraphProto", kGraphRules},
    {"NodeProto", kNodeRules},
    {"AttributeProto", kAttributeRules},
    {"TensorProto", kTensorRules},
    {"SparseTensorProto", kSparseTensorRules},
    {"ValueInfoProto", kValueInfoRules},
    {"TypeProto", kTypeRules},
    {"TypeProto.Tensor", kTensorTypeRules},
    {"TypeProto.Sequence", kElementTypeRules},
    {"TypeProto.Map", kMapTypeRules},
    {"TypeProto.Optional", kElementTypeRules},
    {"TypeProto.Opaque", kOpaqueTypeRules},
    {"TensorShapeProto", kShapeRules},
    {"TensorShapeProto.Dimension", kDimensionRules},
    {"TensorAnnotation", kAnnotationRules},
};

}  // namespace

const char* message_name(MessageType type) {
  return kMessages[static_cast<std::size_t>(type)].name;
}

std::span<const FieldRule> field_rules(MessageType type) {
  return kMessages[static_cast<std::size_t>(type)].fields;
}

const FieldRule* find_rule(MessageType type, std::uint32_t number) {
  for (const FieldRule& rule : field_rules(type)) {
    if (rule.number == number) return &rule;
  }
  return nullptr;
}

}  // namespace sealpack::models::onnx
