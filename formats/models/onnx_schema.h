// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace sealpack::models::onnx {

// The messages of onnx.proto (IR version 10) as tables: what is not in them is not understood, and
// what is not understood never reaches a public file.
enum class MessageType : std::uint8_t {
  kModel,
  kOperatorSet,
  kEntry,
  kTraining,
  kFunction,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kValueInfo,
  kType,
  kTensorType,
  kSequenceType,
  kMapType,
  kOptionalType,
  kOpaqueType,
  kShape,
  kDimension,
  kAnnotation,
};

enum class FieldKind : std::uint8_t {
  kInteger,  // varint
  kFloat,    // 4 bytes
  kText,     // string, held in memory, UTF-8
  kBytes,    // bytes, left in the file
  kMessage,
  kIntegers,   // repeated varint, packed or not, left in the file
  kFloats,     // repeated 4 bytes
  kDoubles,    // repeated 8 bytes
  kByteLists,  // repeated bytes
};

struct FieldRule {
  const char* name;
  std::uint32_t number;
  FieldKind kind;
  MessageType message = MessageType::kModel;  // of kMessage
  bool repeated = false;     // of kText and kMessage; a list is one field, whatever its length
  bool descriptive = false;  // says something about the model, means nothing to a runtime
};

const char* message_name(MessageType type);
std::span<const FieldRule> field_rules(MessageType type);
const FieldRule* find_rule(MessageType type, std::uint32_t number);

// Field numbers, named <message>::k<field>.
namespace model {
enum : std::uint32_t {
  kIrVersion = 1,
  kProducerName = 2,
  kProducerVersion = 3,
  kGraph = 7,
  kOpsetImport = 8,
  kTrainingInfo = 20,
  kFunctions = 25
};
}
namespace operator_set {
enum : std::uint32_t { kDomain = 1, kVersion = 2 };
}
namespace entry {
enum : std::uint32_t { kKey = 1, kValue = 2 };
}
namespace training {
enum : std::uint32_t { kInitialization = 1, kAlgorithm = 2 };
}
namespace function {
enum : std::uint32_t {
  kName = 1,
  kInput = 4,
  kOutput = 5,
  kNode = 7,
  kDomain = 10,
  kAttributeProto = 11,
  kOverload = 13
};
}
namespace graph {
enum : std::uint32_t {
  kNode = 1,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12,
  kValueInfo = 13,
  kSparseInitializer = 15
};
}
namespace node {
enum : std::uint32_t {
  kInput = 1,
  kOutput = 2,
  kName = 3,
  kOpType = 4,
  kAttribute = 5,
  kDomain = 7,
  kOverload = 8
};
}
namespace attribute {
enum : std::uint32_t {
  kName = 1,
  kF = 2,
  kI = 3,
  kS = 4,
  kT = 5,
  kG = 6,
  kFloats = 7,
  kInts = 8,
  kStrings = 9,
  kTensors = 10,
  kGraphs = 11,
  kSparseTensor = 22,
  kSparseTensors = 23
};
}
namespace tensor {
enum : std::uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14
};
}
namespace sparse_tensor {
enum : std::uint32_t { kValues = 1, kIndices = 2, kDims = 3 };
}
namespace value_info {
enum : std::uint32_t { kName = 1, kType = 2 };
}
namespace type {
enum : std::uint32_t { kTensorType = 1 };
}
namespace tensor_type {
enum : std::uint32_t { kElemType = 1, kShape = 2 };
}
namespace shape {
enum : std::uint32_t { kDim = 1 };
}
namespace dimension {
enum : std::uint32_t { kValue = 1, kParam = 2 };
}

}  // namespace sealpack::models::onnx
