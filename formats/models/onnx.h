// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/models/model.h"

namespace sealpack::models {

struct OnnxOptions {
  bool keep_metadata =
      false;  // keep doc strings, metadata_props, producer and paths in the public half
};

// ONNX ModelProto (onnx.proto, IR version up to 10). `inputs` are all files of the model, so that
// external data is found by the location relative to the file's folder; `file` is the model's
// index. External data files that the model refers to are listed by external_files().
class OnnxModel : public Model {
 public:
  // Indices of the inputs that hold this model's external data; split() covers them too.
  virtual const std::vector<std::uint32_t>& external_files() const = 0;
};
Result<std::unique_ptr<OnnxModel>> open_onnx(std::uint32_t file, std::span<const InputFile> inputs,
                                             const OnnxOptions& options);

}  // namespace sealpack::models
