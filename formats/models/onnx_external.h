// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/onnx_tensor.h"

namespace sealpack::models::onnx {

// Resolves TensorProto.external_data (onnx docs/ExternalData.md) to bytes of an input. The location
// is a relative path without empty, '.' or '..' parts, taken from the folder of the model, and
// names one of the inputs, never the model itself; offset and length are decimal without sign or
// leading zeros; the length, where given, is `expected`. kMalformed; kUsage for a file that is not
// among the inputs; kUnsupported for a key this version does not know.
Result<SourceRange> find_external(const ModelFiles& files,
                                  const std::vector<const Message*>& entries,
                                  std::uint64_t expected);

// The location that leads from the model's folder to an input that find_external has found.
std::string external_location(const ModelFiles& files, std::uint32_t file);

}  // namespace sealpack::models::onnx
