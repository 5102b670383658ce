// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/base/block_source.h"
#include "formats/bundle/content.h"

namespace sealpack::capi {

// A tensor and where its bytes lie in the original files.
struct IndexedTensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;  // the slowest first
  std::uint64_t size = 0;
  std::size_t file = 0;  // index in Content::originals
  std::uint64_t offset = 0;
};

// Gives an original file as a source.
using OriginalSource = std::function<std::unique_ptr<BlockSource>(std::size_t original)>;

// The tensors of one file, with IndexedTensor::file unset; empty for files of no known format.
// kMalformed, kUnsupported, kLimit of the format's reader; errors of the source. `content` says
// where ONNX finds external data.
Result<std::vector<IndexedTensor>> read_tensors(const bundle::Content& content,
                                                std::size_t original, const BlockSource& source);
// For ONNX files, onnx_tensors.cc.
Result<std::vector<IndexedTensor>> read_onnx_tensors(const bundle::Content& content,
                                                     std::size_t original,
                                                     const BlockSource& source);

// Of all files, ascending by name, then by file. Files that carry the name of a format and are not
// in it have no tensors; `skipped` is told of them.
Result<std::vector<IndexedTensor>> index_tensors(const bundle::Content& content,
                                                 const OriginalSource& source,
                                                 const std::function<void(const Error&)>& skipped);

}  // namespace sealpack::capi
