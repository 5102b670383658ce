// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_read.h"
#include "runtime-loader/nn/graph.h"

namespace sealpack::nn {

// Elements that the file holds one by one (varints, unpacked lists) are kept in memory; this bounds
// them over all of a graph, as well as the lists and texts of attributes.
inline constexpr std::uint64_t kMaxDecodedSize = std::uint64_t{64} << 20U;
inline constexpr std::size_t kMaxExternalFiles = 1024;

// What parts of a model are read with: the file, its external files, and what is left of the bound.
class TensorLoader {
 public:
  TensorLoader(const BlockSource& model, const ExternalSize& external_size)
      : model_(model), external_size_(external_size) {}

  const BlockSource& model() const { return model_; }
  // Refuses more decoded bytes than kMaxDecodedSize in all.
  Status reserve(std::uint64_t size);

  // The tensor of a TensorProto.
  Result<StoredTensor> load(const models::onnx::Message& message);
  // Bytes of a list of 4 or 8 byte elements.
  Result<ByteVector> read_fixed(const models::onnx::ElementList& list, unsigned width);

  std::vector<std::string> take_external_files() && { return std::move(external_files_); }

 private:
  Status place_external(const models::onnx::Message& message, StoredTensor& tensor);
  Result<std::uint32_t> external_file(std::string_view location);
  Status place_list(const models::onnx::Field& field, StoredTensor& tensor);
  Status decode_integers(const models::onnx::ElementList& list, StoredTensor& tensor);
  Status place_range(std::uint64_t offset, StoredTensor& tensor);

  const BlockSource& model_;
  const ExternalSize& external_size_;
  std::vector<std::string> external_files_;
  std::vector<std::uint64_t> external_sizes_;
  std::uint64_t decoded_ = 0;
};

}  // namespace sealpack::nn
