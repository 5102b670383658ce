// SPDX-License-Identifier: Apache-2.0
// Where the initializers of an ONNX file lie. Those whose encoding is not plain little-endian bytes
// (short integers in varints, strings) have no place and are left out.
#include <algorithm>
#include <charconv>
#include <optional>

#include "formats/models/onnx_read.h"
#include "formats/models/safetensors.h"
#include "runtime-loader/capi/tensor_index.h"

namespace sealpack::capi {
namespace {

namespace onnx = models::onnx;
using onnx::Message;

constexpr std::uint64_t kMaxRank = 64;

Error malformed(std::string_view name, const std::string& why) {
  return {ErrorCode::kMalformed, "tensor " + printable(name.substr(0, 128)) + ": " + why};
}

// TensorProto.DataType in the spelling of safetensors, where it has one.
const char* dtype_name(std::uint64_t type) {
  constexpr const char* kNames[] = {nullptr, "F32", "U8",    "I8",    "U16", "I16",
                                    "I32",   "I64", nullptr, "BOOL",  "F16", "F64",
                                    "U32",   "U64", nullptr, nullptr, "BF16"};
  return type < std::size(kNames) ? kNames[type] : nullptr;
}

struct Place {
  std::size_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

class OnnxTensors {
 public:
  OnnxTensors(const bundle::Content& content, std::size_t original, const BlockSource& source)
      : content_(content), original_(original), source_(source) {}

  Result<std::vector<IndexedTensor>> read() {
    const onnx::MessagePointer model = TRY(onnx::parse_model(source_));
    std::vector<IndexedTensor> tensors;
    const Message* graph = model->message(onnx::model::kGraph);
    if (graph == nullptr) return tensors;
    for (const Message* tensor : graph->messages(onnx::graph::kInitializer)) {
      auto read = TRY(read_tensor(*tensor));
      if (read) tensors.push_back(std::move(*read));
    }
    return tensors;
  }

 private:
  Result<std::optional<IndexedTensor>> read_tensor(const Message& tensor) const {
    const std::string_view name = tensor.text(onnx::tensor::kName);
    const char* dtype = dtype_name(tensor.integer(onnx::tensor::kDataType));
    if (dtype == nullptr) return std::optional<IndexedTensor>();
    IndexedTensor out;
    out.name = name;
    out.dtype = dtype;
    if (const auto* dims = tensor.elements(onnx::tensor::kDims)) {
      out.shape = TRY(onnx::read_integers(source_, *dims, kMaxRank));
    }
    out.size = TRY(size_of(name, out));
    const auto place = TRY(find_place(tensor, name, dtype, out.size));
    if (!place) return std::optional<IndexedTensor>();
    if (place->size != out.size) {
      return malformed(name, std::to_string(place->size) + " bytes of data, its shape takes " +
                                 std::to_string(out.size));
    }
    out.file = place->file;
    out.offset = place->offset;
    return std::optional(std::move(out));
  }

  static Result<std::uint64_t> size_of(std::string_view name, const IndexedTensor& tensor) {
    std::uint64_t size = models::safetensors_bits(tensor.dtype) / 8;
    for (const std::uint64_t dim : tensor.shape) {
      const auto product = checked_multiply(size, dim);
      if (!product || dim > std::uint64_t{INT64_MAX}) return malformed(name, "an impossible shape");
      size = *product;
    }
    return size;
  }

  Result<std::optional<Place>> find_place(const Message& tensor, std::string_view name,
                                          std::string_view dtype, std::uint64_t size) const {
    if (tensor.integer(onnx::tensor::kDataLocation) == 1) {
      return std::optional(TRY(find_external(tensor, name, size)));
    }
    if (const onnx::Field* raw = tensor.find(onnx::tensor::kRawData)) {
      const auto& range = std::get<onnx::ByteRange>(raw->value);
      return std::optional(Place{original_, range.offset, range.size});
    }
    // Floats in a packed field are plain bytes too.
    const std::uint32_t field =
        dtype == "F64" ? onnx::tensor::kDoubleData : onnx::tensor::kFloatData;
    if (dtype == "F32" || dtype == "F64") {
      const auto* list = tensor.elements(field);
      if (list != nullptr && list->is_packed) {
        return std::optional(Place{original_, list->packed.offset, list->packed.size});
      }
    }
    if (size == 0) return std::optional(Place{original_, 0, 0});
    return std::optional<Place>();
  }

  Result<Place> find_external(const Message& tensor, std::string_view name,
                              std::uint64_t size) const {
    std::string_view location;
    Place place{0, 0, size};
    for (const Message* entry : tensor.messages(onnx::tensor::kExternalData)) {
      const std::string_view key = entry->text(onnx::entry::kKey);
      const std::string_view value = entry->text(onnx::entry::kValue);
      if (key == "location") location = value;
      if (key == "offset") place.offset = TRY(parse_number(name, value));
      if (key == "length") place.size = TRY(parse_number(name, value));
    }
    const std::string& model = content_.originals[original_].path;
    const std::string path = model.substr(0, model.rfind('/') + 1) + std::string(location);
    const auto found =
        std::lower_bound(content_.originals.begin(), content_.originals.end(), path,
                         [](const auto& file, const auto& wanted) { return file.path < wanted; });
    if (found == content_.originals.end() || found->path != path) {
      return malformed(name, "its external data, " + printable(path) + ", is not in the bundle");
    }
    if (place.offset > found->size || place.size > found->size - place.offset) {
      return malformed(name, "its external data lie outside " + printable(path));
    }
    place.file = static_cast<std::size_t>(found - content_.originals.begin());
    return place;
  }

  static Result<std::uint64_t> parse_number(std::string_view name, std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size()) {
      return malformed(name, printable(text.substr(0, 64)) + " is no offset or length");
    }
    return number;
  }

  const bundle::Content& content_;
  std::size_t original_;
  const BlockSource& source_;
};

}  // namespace

Result<std::vector<IndexedTensor>> read_onnx_tensors(const bundle::Content& content,
                                                     std::size_t original,
                                                     const BlockSource& source) {
  return OnnxTensors(content, original, source).read();
}

}  // namespace sealpack::capi
