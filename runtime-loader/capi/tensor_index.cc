// SPDX-License-Identifier: Apache-2.0
#include "runtime-loader/capi/tensor_index.h"

#include <algorithm>
#include <tuple>

#include "formats/models/ggml_types.h"
#include "formats/models/gguf_header.h"
#include "formats/models/safetensors.h"

namespace sealpack::capi {
namespace {

Result<std::vector<IndexedTensor>> read_safetensors(std::size_t original,
                                                    const BlockSource& source) {
  const models::SafetensorsHeader header = TRY(models::read_safetensors_header(source));
  std::vector<IndexedTensor> tensors;
  tensors.reserve(header.entries.size());
  for (const models::SafetensorsEntry& entry : header.entries) {
    tensors.push_back({entry.name, entry.dtype, entry.shape, entry.end - entry.begin, original,
                       header.data_offset() + entry.begin});
  }
  return tensors;
}

Result<std::vector<IndexedTensor>> read_gguf(std::size_t original, const BlockSource& source) {
  const models::GgufHeader header = TRY(models::parse_gguf(source));
  std::vector<IndexedTensor> tensors;
  tensors.reserve(header.tensors.size());
  for (const models::GgufTensor& tensor : header.tensors) {
    tensors.push_back({tensor.name,
                       std::string(models::find_ggml_type(tensor.type)->name),
                       {tensor.dimensions.rbegin(), tensor.dimensions.rend()},
                       tensor.size,
                       original,
                       header.data_offset + tensor.offset});
  }
  return tensors;
}

}  // namespace

Result<std::vector<IndexedTensor>> read_tensors(const bundle::Content& content,
                                                std::size_t original, const BlockSource& source) {
  const std::string& path = content.originals[original].path;
  if (path.ends_with(".safetensors")) return read_safetensors(original, source);
  if (path.ends_with(".gguf")) return read_gguf(original, source);
  if (path.ends_with(".onnx")) return read_onnx_tensors(content, original, source);
  return std::vector<IndexedTensor>();
}

Result<std::vector<IndexedTensor>> index_tensors(const bundle::Content& content,
                                                 const OriginalSource& source,
                                                 const std::function<void(const Error&)>& skipped) {
  std::vector<IndexedTensor> all;
  for (std::size_t i = 0; i < content.originals.size(); ++i) {
    const std::unique_ptr<BlockSource> file = source(i);
    auto tensors = read_tensors(content, i, *file).within(printable(content.originals[i].path));
    if (tensors.ok()) {
      std::move(tensors->begin(), tensors->end(), std::back_inserter(all));
      continue;
    }
    const ErrorCode code = tensors.error().code();
    // The format's reader found another thing than the name says; everything else is a failure.
    if (code != ErrorCode::kMalformed && code != ErrorCode::kUnsupported) {
      return std::move(tensors).take_error();
    }
    skipped(tensors.error());
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.file) < std::tie(b.name, b.file);
  });
  return all;
}

}  // namespace sealpack::capi
