// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/model.h"
#include "formats/models/onnx_wire.h"

namespace sealpack::models::onnx {

inline constexpr std::uint64_t kMaxConvertedSize = std::uint64_t{256} << 20U;

// TensorProto.DataType values that our code makes itself.
inline constexpr unsigned kTypeFloat = 1;
inline constexpr unsigned kTypeInt64 = 7;
inline constexpr unsigned kTypeString = 8;

// The model's file among the inputs, and where its external data may lie.
struct ModelFiles {
  std::uint32_t file = 0;
  std::span<const InputFile> inputs;

  const InputFile& model() const { return inputs[file]; }
  const BlockSource& source() const { return *inputs[file].source; }
};

// What a tensor is and where its bytes are; refers to the parsed model.
struct TensorData {
  const Message* message = nullptr;  // TensorProto, if it is one
  unsigned type = 0;                 // TensorProto.DataType, known
  std::vector<std::uint64_t> dims;
  std::uint64_t count = 0;  // product of dims

  // Elements as they lie in `file`: raw_data or external data (bytes), a typed field or attribute
  // list (elements), an attribute's number (scalar). No element, no data.
  struct Raw {
    SourceRange range;
    bool external = false;
  };
  struct Typed {
    const ElementList* elements;
    FieldKind kind;
  };
  struct Scalar {
    std::uint64_t bits;
  };
  std::variant<std::monostate, Raw, Typed, Scalar> place;
};

// Reads and checks a TensorProto: a known type, data in the one place that type allows, as much as
// its dims say, external data inside a file of `files`. kMalformed, kUnsupported, kUsage where an
// external file was not given.
Result<TensorData> read_tensor(const ModelFiles& files, const Message& tensor);
// Dims of a TensorProto or SparseTensorProto and their product.
Status read_dims(const ModelFiles& files, const ElementList* dims, TensorData& data);

// dtype of a TensorProto.DataType, nullptr if unknown.
const char* dtype_name(std::uint64_t type);
// Safetensors spelling of the type where safetensors has it, else ONNX's name ("STRING", "INT4").
const char* dtype_of(const TensorData& data);
std::uint64_t stored_size(const TensorData& data);  // bytes that carry the data in the original
// Bytes of an external file, or nullptr.
const SourceRange* external_range(const TensorData& data);

// How safetensors holds the tensor: its own dtype and shape, or U8 [size] for types that it does
// not have. Strings are a 4-byte little-endian size and the bytes, one after the other.
struct SafetensorsForm {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t size = 0;
  bool is_native = true;  // false: dtype and shape are those of the bytes, not of the tensor
};
Result<SafetensorsForm> safetensors_form(const TensorData& data);
// The little-endian elements: a range of the source where they lie there as such, else converted.
// kLimit over kMaxConvertedSize; kMalformed where a number does not fit its type.
Result<Piece> tensor_bytes(const ModelFiles& files, const TensorData& data);

std::string shape_text(std::span<const std::uint64_t> dims);  // "[2,3]"

}  // namespace sealpack::models::onnx
